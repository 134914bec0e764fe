package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/natsignals"
)

// restricted is a server with the stream ORDERS, and a user of it who may not publish
// on those subjects.
func restricted(t *testing.T, deny ...string) (srv *server.Server, opts *server.Options, js, admin jetstream.JetStream) {
	t.Helper()
	opts = &server.Options{JetStream: true, StoreDir: t.TempDir(), Users: []*server.User{
		{Username: "u", Password: "p", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: deny}}},
		{Username: "admin", Password: "p"},
	}}
	srv, admin = connectTo(t, opts, nats.UserInfo("admin", "p"))
	if _, err := admin.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}}); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(srv.ClientURL(), nats.UserInfo("u", "p"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	return srv, opts, js, admin
}

var soon = natsignals.Timeout(300 * time.Millisecond)

func TestAMessageThatMayNotBePublishedIsDeniedAndNotLost(t *testing.T) {
	srv, opts, js, admin := restricted(t, "orders.placed")
	sync := signals.NewSync[Order]()
	if _, err := natsignals.Publish(t.Context(), js, sync, "orders.placed", natsignals.AcceptLoss(), natsignals.Logger(quiet), soon); err != nil {
		t.Fatal(err)
	}
	err := sync.TryEmit(t.Context(), Order{ID: 1})
	if !errors.Is(err, natsignals.ErrDenied) || !strings.Contains(err.Error(), `publish on "orders.placed"`) || !strings.Contains(err.Error(), "grant it") {
		t.Errorf("TryEmit: %v; want ErrDenied with the subject and what to do", err)
	}
	s := async()
	closeSignal(t, s)
	p, err := natsignals.Publish(t.Context(), js, s, "orders.placed", natsignals.AcceptLoss(), natsignals.Logger(quiet), soon, quick)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(p.Close) })
	s.Emit(t.Context(), Order{ID: 2})
	eventually(t, "it is said", func() bool { return strings.Contains(p.Stats().Err, natsignals.ErrDenied.Error()) })
	if st := p.Stats(); st.Listener.Lag != 1 {
		t.Errorf("%+v; want the message waiting", st)
	}
	granted := *opts
	granted.Users = []*server.User{{Username: "u", Password: "p"}, opts.Users[1]}
	if err := srv.ReloadOptions(&granted); err != nil {
		t.Fatal(err)
	}
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if stream, err := admin.Stream(t.Context(), "ORDERS"); err != nil || stream.CachedInfo().State.Msgs != 1 {
		t.Errorf("%+v, %v; want the message that waited", stream.CachedInfo().State, err)
	}
}

// To believe that a message is a duplicate the bridge looks for it. One who may not look
// must be told that, and not that the publishing is in doubt.
func TestADuplicateThatMayNotBeLookedForIsDeniedByName(t *testing.T) {
	_, _, js, admin := restricted(t, "$JS.API.STREAM.MSG.GET.>")
	if _, err := admin.Publish(t.Context(), "orders.placed", []byte(`{"id":1}`), jetstream.WithMsgID("order-1")); err != nil {
		t.Fatal(err)
	}
	s := signals.NewSync[Order]()
	if _, err := natsignals.Publish(t.Context(), js, s, "orders.placed", natsignals.AcceptLoss(), natsignals.Logger(quiet), soon,
		natsignals.ID(func(o Order) string { return fmt.Sprint("order-", o.ID) })); err != nil {
		t.Fatal(err)
	}
	err := s.TryEmit(t.Context(), Order{ID: 1})
	if !errors.Is(err, natsignals.ErrDenied) || !strings.Contains(err.Error(), "$JS.API.STREAM.MSG.GET.ORDERS") || !strings.Contains(err.Error(), "calls a duplicate") {
		t.Errorf("%v; want ErrDenied that names what may not be read, and why it is", err)
	}
	if err := s.TryEmit(t.Context(), Order{ID: 2}); err != nil {
		t.Errorf("one that is no duplicate: %v", err)
	}
}

// The server ends subscriptions that are not permitted any more, also that of the client for
// all answers, and does not bring it back when it is permitted again.
func TestAnswersThatMayNotBeReceivedUnderWayComeAgainAfterAReconnect(t *testing.T) {
	srv, opts, js, _ := restricted(t, "elsewhere")
	s := async()
	closeSignal(t, s)
	p, err := natsignals.Publish(t.Context(), js, s, "orders.placed", natsignals.AcceptLoss(), natsignals.Logger(quiet), soon, quick)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(p.Close) })
	if err := s.EmitWait(t.Context(), Order{ID: 1}); err != nil {
		t.Fatal(err)
	}
	denied := *opts
	denied.Users = []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{
		Subscribe: &server.SubjectPermission{Deny: []string{"_INBOX.>"}}}}, opts.Users[1]}
	if err := srv.ReloadOptions(&denied); err != nil {
		t.Fatal(err)
	}
	s.Emit(t.Context(), Order{ID: 2})
	eventually(t, "it is said, with what to do", func() bool {
		text := p.Stats().Err
		return strings.Contains(text, natsignals.ErrDenied.Error()) && strings.Contains(text, "and reconnect (ForceReconnect)")
	})
	if err := srv.ReloadOptions(opts); err != nil {
		t.Fatal(err)
	}
	if err := js.Conn().ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := p.Stats(); st.Acknowledged != 2 {
		t.Errorf("%+v; want 2 acknowledged", st)
	}
}

// A request for messages that the server refuses is one that is never answered.
func TestAConsumerThatMayNotFetchSaysSo(t *testing.T) {
	_, _, js, _ := restricted(t, "$JS.API.CONSUMER.MSG.NEXT.>")
	s := async()
	closeSignal(t, s)
	s.Subscribe((&record{}).listen)
	var l logs
	c, err := natsignals.Consume(t.Context(), js, "ORDERS", "shipping", s, natsignals.Logger(l.logger()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(c.Close) })
	eventually(t, "it is said", func() bool {
		text := c.Stats().Err
		return strings.Contains(text, natsignals.ErrDenied.Error()) && strings.Contains(text, "$JS.API.CONSUMER.MSG.NEXT.ORDERS.shipping")
	})
	eventually(t, "it is logged", func() bool { return l.has("messages cannot be fetched") })
}

func TestAnAcknowledgementThatIsDeniedIsNotTakenForHandled(t *testing.T) {
	_, _, js, admin := restricted(t, "$JS.ACK.>")
	s := async()
	closeSignal(t, s)
	s.Subscribe((&record{}).listen)
	var l logs
	c, err := natsignals.Consume(t.Context(), js, "ORDERS", "shipping", s, natsignals.Logger(l.logger()), soon, quick)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(c.Close) })
	if _, err := admin.Publish(t.Context(), "orders.placed", []byte(`{"id":1}`)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is not confirmed", func() bool { return c.Stats().Unconfirmed > 0 })
	if st := c.Stats(); st.Handled != 0 || !strings.Contains(st.Err, natsignals.ErrDenied.Error()) {
		t.Errorf("%+v; want none handled, and that it is denied", st)
	}
}

// An old refusal of something else is not why an answer does not come.
func TestAnOldRefusalIsNotBlamedForALaterSilence(t *testing.T) {
	_, _, js, admin := restricted(t, "elsewhere")
	s := signals.NewSync[Order]()
	if _, err := natsignals.Publish(t.Context(), js, s, "orders.placed", natsignals.AcceptLoss(), natsignals.Logger(quiet), soon); err != nil {
		t.Fatal(err)
	}
	if err := js.Conn().Publish("elsewhere", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "that is refused", func() bool { return errors.Is(js.Conn().LastError(), nats.ErrPermissionViolation) })
	if err := admin.DeleteStream(t.Context(), "ORDERS"); err != nil {
		t.Fatal(err)
	}
	mute, err := admin.Conn().Subscribe("orders.placed", func(*nats.Msg) {}) // somebody is there, and answers nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Unsubscribe() }()
	if err := admin.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	if err := s.TryEmit(t.Context(), Order{ID: 1}); !errors.Is(err, natsignals.ErrNotAcknowledged) || errors.Is(err, natsignals.ErrDenied) {
		t.Errorf("%v; want ErrNotAcknowledged", err)
	}
}

func TestAStreamOfAnotherAccountIsNotThere(t *testing.T) {
	a, b := server.NewAccount("A"), server.NewAccount("B")
	srv, js := connectTo(t, &server.Options{JetStream: true, StoreDir: t.TempDir(), Accounts: []*server.Account{a, b}, Users: []*server.User{
		{Username: "a", Password: "p", Account: a}, {Username: "b", Password: "p", Account: b},
	}}, nats.UserInfo("a", "p"))
	for _, account := range []string{"A", "B"} {
		acc, err := srv.LookupAccount(account)
		if err != nil {
			t.Fatal(err)
		}
		if err := acc.EnableJetStream(nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}}); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(srv.ClientURL(), nats.UserInfo("b", "p"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	other, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	both(t, other, natsignals.ErrNoStream)
	p, err := natsignals.Publish(t.Context(), js, signals.NewSync[Order](), "orders.placed", natsignals.AcceptLoss())
	if err != nil {
		t.Fatalf("in the account that has it: %v", err)
	}
	if err := p.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
