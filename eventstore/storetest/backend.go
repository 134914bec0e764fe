package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"example.com/signals/eventstore"
)

// backendCases are what a Store relies on and its users do not see.
var backendCases = []testCase{
	{"Identity", func(h *harness) {
		id, err := h.backend.Identity(h.ctx)
		h.ok(err)
		h.check(id != "", "no identity")
		h.append(event("a", ""))
		equal(h, "later", must(h.backend.Identity(h.ctx)), id)
		equal(h, "of the store", must(h.store.Identity(h.ctx)), id)
	}},
	{"APageSaysWhereItEnds", func(h *harness) {
		h.append(events(20)...)
		q := eventstore.Match(eventstore.Item{Stream: "s0"}) // 1, 8, 15
		page := h.page(eventstore.PageRequest{Query: q, Limit: 100, MaxBytes: 1 << 20})
		equal(h, "to the head", shape(page), want(20, 20, false, 1, 8, 15))
		page = h.page(eventstore.PageRequest{Query: q, After: 1, Until: 17, Limit: 100, MaxBytes: 1 << 20})
		equal(h, "within bounds", shape(page), want(20, 17, false, 8, 15))
		page = h.page(eventstore.PageRequest{Query: q, After: 20, Limit: 100, MaxBytes: 1 << 20})
		equal(h, "at the head", shape(page), want(20, 20, false))
		page = h.page(eventstore.PageRequest{Query: q, After: 30, Limit: 100, MaxBytes: 1 << 20})
		equal(h, "beyond the head", shape(page), want(20, 30, false))
	}},
	{"PagesJoinUp", func(h *harness) {
		all := h.fill(120)
		for _, q := range []eventstore.Query{eventstore.All(), eventstore.OfStream("s2"), eventstore.Match(eventstore.Item{Tags: []string{"odd", "t1"}})} {
			for _, backward := range []bool{false, true} {
				for _, limits := range [][2]int{{1, 1 << 20}, {7, 1 << 20}, {1000, 5}, {1000, 1}} {
					req := eventstore.PageRequest{Query: q, After: 3, Until: 111, Backward: backward, Limit: limits[0], MaxBytes: limits[1]}
					var got []eventstore.Recorded
					for more := true; more; {
						page := h.page(req)
						h.check(len(page.Events) <= req.Limit, "%d events in a page of %d", len(page.Events), req.Limit)
						got, more = append(got, page.Events...), page.More
						h.check(!more || page.Next != req.After && page.Next != req.Until, "%+v does not get on", req)
						if backward {
							req.Until = page.Next
						} else {
							req.After = page.Next
						}
					}
					expected := matching(all[3:111], q)
					if backward {
						slices.Reverse(expected)
					}
					h.check(slices.EqualFunc(got, expected, same), "%s, backward %v, limits %v: got %v; want %v",
						q, backward, limits, positions(got), positions(expected))
				}
			}
		}
	}},
	{"BytesBoundAPage", func(h *harness) {
		big := eventstore.Event{Type: "a", Data: make([]byte, 1000)}
		h.append(big, big, big, big)
		for _, bytes := range []int{1001, 2000} {
			page := h.page(eventstore.PageRequest{Query: eventstore.All(), Limit: 100, MaxBytes: bytes})
			equal(h, "a page", shape(page), want(4, 2, true, 1, 2))
		}
	}},
	{"EveryCommitIsFollowedByANotice", func(h *harness) {
		heads := make(chan eventstore.Position, 1000)
		stop := h.backend.Watch(func(n eventstore.Notice) {
			for i, r := range n.Events {
				if r.Position != n.Events[0].Position+eventstore.Position(i) {
					h.Errorf("a notice with a gap: %v", positions(n.Events))
				}
			}
			var last eventstore.Position
			if len(n.Events) > 0 {
				last = n.Events[len(n.Events)-1].Position
			}
			select {
			case heads <- last:
			default:
			}
		})
		for range 30 {
			stored := h.append(event("a", ""), event("b", ""))
			for told := false; !told; {
				last := await(h, "a notice", heads)
				h.check(last <= h.head(), "a notice of position %d, which cannot be read yet", last)
				told = last == 0 || last >= stored[1].Position
			}
		}
		stop()
	}},
	{"AReaderNeverSeesAGap", func(h *harness) {
		const appenders, each = 4, 40
		ctx, cancel := context.WithCancel(h.ctx)
		defer cancel()
		var group, readers sync.WaitGroup
		for range 2 {
			readers.Go(func() {
				var at eventstore.Position
				for ctx.Err() == nil {
					page, err := h.backend.Page(h.ctx, eventstore.PageRequest{Query: eventstore.All(), After: at, Limit: 10, MaxBytes: 1 << 20})
					h.ok(err)
					for _, r := range page.Events {
						h.check(r.Position == at+1, "position %d after %d", r.Position, at)
						at++
					}
					h.check(page.Head >= at && page.Next == at, "head %d, next %d at %d", page.Head, page.Next, at)
					head, err := h.backend.Head(h.ctx)
					h.ok(err)
					h.check(head >= page.Head, "the head went from %d to %d", page.Head, head)
				}
			})
		}
		for range appenders {
			group.Go(func() {
				for range each {
					stored := h.append(event("a", ""), event("b", ""))
					h.check(h.head() >= stored[1].Position, "the head is behind what was acknowledged")
				}
			})
		}
		group.Wait()
		cancel()
		readers.Wait()
	}},
	{"AnEndedContextEndsAPage", func(h *harness) {
		ctx, cancel := context.WithCancel(h.ctx)
		cancel()
		_, err := h.backend.Page(ctx, eventstore.PageRequest{Query: eventstore.All(), Limit: 1, MaxBytes: 1})
		h.check(errors.Is(err, context.Canceled), "error %v", err)
	}},
}

func (h *harness) page(r eventstore.PageRequest) eventstore.Page {
	h.Helper()
	page, err := h.backend.Page(h.ctx, r)
	h.ok(err)
	return page
}

// pageOf is a Page with the positions of its events, to be compared.
type pageOf struct {
	head, next eventstore.Position
	more       bool
	events     []eventstore.Position
}

func want(head, next eventstore.Position, more bool, events ...eventstore.Position) pageOf {
	return pageOf{head, next, more, append([]eventstore.Position{}, events...)}
}

func shape(p eventstore.Page) pageOf {
	return pageOf{p.Head, p.Next, p.More, positions(p.Events)}
}
