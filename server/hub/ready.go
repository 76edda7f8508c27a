package hub

import "context"

// roomy is a store that can tell, without a write, that it would refuse one. Both errors wrap cas.ErrNoSpace.
type roomy interface {
	Room() error // wraps cas.ErrPoisoned too
	Full() error // even what is written out of the reserve may end the process
}

// Ready implements [api.Hub].
func (h *Hub) Ready(context.Context) error {
	if err := h.enter(); err != nil {
		return err
	}
	defer h.leave()
	if err := h.writable(); err != nil {
		return wire(err)
	}
	store, ok := h.store.(roomy)
	if !ok {
		return nil
	}
	return wire(h.stopped(store.Room()))
}
