package durable

import (
	"context"
	"errors"
	"fmt"
	"io"

	"example.com/signals/eventstore"
	"example.com/signals/examples/internal/english"
	"example.com/signals/examples/internal/shop"
	"example.com/signals/inspector"
)

// live opens the shop to the world.
func (o *options) live(ctx context.Context, screen *shop.Screen, stderr io.Writer) (int, error) {
	return o.keep(ctx, stderr, func(ctx context.Context, k *keeper) (int, error) {
		finish := context.WithoutCancel(ctx)
		var s *shop.Shop
		b := shop.Business{
			HTTP: o.http, Orders: o.orders, Speed: o.speed, Seed: o.seed,
			Ledger: k.ledger,
			Opening: func(ctx context.Context, opened *shop.Shop) (string, error) {
				s = opened
				return k.opening(ctx, s, screen)
			},
			Inspected: func() []inspector.Option { return []inspector.Option{inspector.Stores(k.store)} },
		}
		code, err := b.Run(ctx, screen, stderr)
		if err != nil {
			return 0, err
		}
		agreed, err := k.agree(finish, s, screen)
		if err != nil {
			return 0, err
		}
		k.meter.read().print(screen)
		if !agreed {
			return shop.ExitFailed, nil
		}
		return code, nil
	})
}

// opening makes the shop what it was. It returns what comes before the numbers of
// its orders: the how manieth opening it is, on the disk before the first of them.
// No number comes twice, not even one that a killed shop has asked the payment
// gateway about.
func (k *keeper) opening(ctx context.Context, s *shop.Shop, screen *shop.Screen) (numbers string, err error) {
	h, err := k.attach(ctx, s, screen)
	if err != nil {
		return "", err
	}
	if len(h.Pieces) > 0 {
		return "", errors.New(k.dir + " has the replay of a file; give the live shop another directory")
	}
	for _, id := range h.Cut {
		if err := k.ledger.Reopen(ctx, id); err != nil {
			return "", err
		}
	}
	if len(h.Cut) > 0 {
		screen.Printf("%s cut short by the end of an earlier run; who asked for that can ask again.", english.Plural(len(h.Cut), "cancellation"))
	}
	event, err := k.store.Types().Encode(ctx, eventstore.Draft{Stream: "shop", Value: Opened{}})
	if err != nil {
		return "", err
	}
	opened, err := k.store.Append(ctx, []eventstore.Event{event})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d-", opened[0].Version), nil
}
