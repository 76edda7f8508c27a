package worktree

// A Step is a moment within a change at which an edit by somebody else, or a
// kill, would matter.
type Step string

// The steps of a change, in order.
const (
	StepTemp   Step = "temp"   // before a temporary file is made
	StepPlace  Step = "place"  // a temporary is durable; before it takes its place
	StepSwap   Step = "swap"   // the target was looked at; before the exchange
	StepLook   Step = "look"   // after the exchange; before the look at what came out
	StepDrop   Step = "drop"   // after the look; before what came out is removed
	StepRemove Step = "remove" // before what is to go is renamed away
	StepGone   Step = "gone"   // it has been renamed; before the look at it
	StepCarry  Step = "carry"  // a version was looked at; before it is renamed to beside the path that it goes onward to
	StepArrive Step = "arrive" // it is there, with its attributes; before it takes its place
)

// OnStep has f called at each step of a change to a path, from any goroutine. It is
// meant for tests that edit or kill right there, and must be called before the
// first change.
func (r *Root) OnStep(f func(step Step, path string)) { r.onStep = f }

func (r *Root) step(s Step, path string) {
	if r.onStep != nil {
		r.onStep(s, path)
	}
}
