package bridge_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/signals/natsignals"
)

type price struct{ Cents int }

func TestAskGetsTheAnswerOrTheErrorOfTheOtherSide(t *testing.T) {
	w := newWorld(t)
	r, err := natsignals.Answer(w.nc, "stock.price", func(ctx context.Context, o Order) (price, error) {
		switch o.ID {
		case 1:
			return price{100}, nil
		case 2:
			panic("no such thing")
		case 3:
			<-ctx.Done()
			return price{}, ctx.Err()
		}
		return price{}, errDeclined
	})
	if err != nil {
		t.Fatal(err)
	}
	nc, _ := w.connect()
	ask := func(ctx context.Context, id int) (price, error) {
		return natsignals.Ask[Order, price](ctx, nc, "stock.price", Order{ID: id})
	}
	if got, err := ask(w.ctx, 1); err != nil || got.Cents != 100 {
		t.Errorf("%v, %v; want 100 cents", got, err)
	}
	var remote *natsignals.RemoteError
	if _, err := ask(w.ctx, 2); !errors.As(err, &remote) || !strings.Contains(remote.Text, "no such thing") {
		t.Errorf("a panic there: %v; want a RemoteError with it", err)
	}
	if _, err := ask(w.ctx, 4); !errors.As(err, &remote) || remote.Text != "declined" {
		t.Errorf("an error there: %v; want a RemoteError with it", err)
	}
	ctx, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
	defer cancel()
	// Either side may be the first to see that the time is up.
	if _, err := ask(ctx, 3); !errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &remote) {
		t.Errorf("no answer in time: %v; want the deadline", err)
	}
	if _, err := natsignals.Ask[int, price](w.ctx, nc, "stock.price", 7); !errors.As(err, &remote) || !strings.Contains(remote.Text, "the question is no bridge_test.Order") {
		t.Errorf("a question of another type: %v", err)
	}
	if err := r.Close(w.ctx); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if _, err := ask(w.ctx, 1); !errors.Is(err, natsignals.ErrNoResponder) {
		t.Errorf("nobody answers: %v; want ErrNoResponder", err)
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("that took %v; want at once", took)
	}
	if err := r.Close(w.ctx); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func TestClosingAResponderWaitsForWhatIsUnderWay(t *testing.T) {
	w := newWorld(t)
	gate, begun := make(chan struct{}), make(chan struct{})
	r, err := natsignals.Answer(w.nc, "slow", func(context.Context, int) (int, error) { close(begun); <-gate; return 1, nil })
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan error, 1)
	go func() {
		_, err := natsignals.Ask[int, int](w.ctx, w.nc, "slow", 1)
		answers <- err
	}()
	<-begun
	ctx, cancel := context.WithTimeout(w.ctx, 20*time.Millisecond)
	defer cancel()
	if err := r.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v; want the deadline", err)
	}
	close(gate)
	if err := r.Close(w.ctx); err != nil {
		t.Error(err)
	}
	if err := <-answers; err != nil {
		t.Errorf("the one under way: %v; want its answer", err)
	}
}
