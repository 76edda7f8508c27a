package server

import (
	"net/http"
	"strings"
)

// farRange is a number of bytes that is in no file, and that [http.ServeContent] can read.
const farRange = "999999999999999999"

// rangesOf returns the Range of a request in a form of which [http.ServeContent] makes what RFC 9110 says, "" where there
// is none that counts: only that of a GET in bytes does. A number may be of any length, and the last 0 bytes are
// no part of a file.
func rangesOf(r *http.Request) string {
	unit, set, ok := strings.Cut(r.Header.Get("Range"), "=")
	if r.Method != http.MethodGet || !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return ""
	}
	var kept []string
	none := false
	for spec := range strings.SplitSeq(set, ",") {
		first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
		switch {
		case !ok:
			kept = append(kept, spec) // not a range, which is refused
		case first == "" && last != "" && strings.Trim(last, "0") == "":
			none = true
		default:
			kept = append(kept, readable(first)+"-"+readable(last))
		}
	}
	if none && len(kept) == 0 {
		kept = []string{farRange + "-"}
	}
	return "bytes=" + strings.Join(kept, ",")
}

// readable returns the number, or one that means the same of any file.
func readable(number string) string {
	if strings.Trim(number, "0123456789") == "" && len(strings.TrimLeft(number, "0")) > len(farRange) {
		return farRange
	}
	return number
}
