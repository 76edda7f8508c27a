package measure

import "testing"

func TestCPU(t *testing.T) {
	const stat = "7 (a ) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 25 75 20 0 1 0 5 6 7\n"
	if user, sys, ok := cpu(stat); user != 1.75 || sys != 1.25 || !ok {
		t.Errorf("%v user, %v sys, %v", user, sys, ok)
	}
	for _, broken := range []string{"", "7 (a) S 1", "7 (a) S 1 7 7 0 -1 4194560 1 2 3 4 x 50 25 75"} {
		if _, _, ok := cpu(broken); ok {
			t.Errorf("read %q", broken)
		}
	}
}

func TestRow(t *testing.T) {
	status := []byte("Name:\tVmRSS:\nVmRSS:\t    12 kB\nRssAnon:\tx kB\n")
	if a, b, c := row(status, "VmRSS:"), row(status, "RssAnon:"), row(status, "VmHWM:"); a != 12<<10 || b+c != 0 {
		t.Errorf("%d, %d, %d", a, b, c)
	}
}
