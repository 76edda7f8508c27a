package cas_test

import (
	"testing"

	"dfs/cas"
	"dfs/cas/castest"
)

func TestMem(t *testing.T) {
	castest.TestStore(t, func(*testing.T) cas.Store { return new(cas.Mem) })
}
