//go:build !unix

package measure

import "os"

// forgetPeak does nothing.
func forgetPeak() {}

// ownPeak and maxRSS know nothing.
func ownPeak() int64                { return 0 }
func maxRSS(*os.ProcessState) int64 { return 0 }
