package client

import "dfs/client/worktree"

// StepBase is stepBase.
const StepBase = stepBase

// OnStep has f called at each step of a pull.
func (c *Config) OnStep(f func(worktree.Step, string)) { c.onStep = f }
