package embedded_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/eventstore"
	"example.com/signals/inspector"
	"example.com/signals/natsignals"
	"example.com/signals/natsignals/embedded"
)

type Placed struct {
	ID       string
	Customer string
	Cents    int
}

// Example joins two signals through a server in the process. With a server
// elsewhere only the connection is another.
func Example() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "shop")
	defer func() { _ = os.RemoveAll(dir) }()

	// region connect
	server, err := embedded.Start(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	nc, err := server.Connect() // elsewhere: nats.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		log.Fatal(err)
	}
	_, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: "ORDERS", Subjects: []string{"orders.>"}, AllowAtomicPublish: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	// endregion

	// region publish
	placed := signals.New[Placed](signals.Name("order.placed"))
	publisher, err := natsignals.Publish(ctx, js, placed, "orders.placed",
		natsignals.SyncAlways(), // what embedded servers do; a cluster: natsignals.Replicas(3)
		natsignals.ID(func(p Placed) string { return p.ID }))
	if err != nil {
		log.Fatal(err)
	}
	// endregion

	// region consume
	orders := signals.New[Placed](signals.Name("order.placed"))
	shipped := make(chan string)
	orders.Subscribe(func(_ context.Context, p Placed) error {
		shipped <- p.ID // an error here, and the message comes again
		return nil
	}, signals.Key("ship"))
	consumer, err := natsignals.Consume(ctx, js, "ORDERS", "shipping", orders)
	if err != nil {
		log.Fatal(err)
	}
	// endregion

	placed.Emit(ctx, Placed{"A-1", "ada", 1250})
	fmt.Println("shipped", <-shipped)

	// region close
	stop, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := placed.Close(stop); err != nil { // all that was accepted is acknowledged
		log.Print(err)
	}
	if err := publisher.Close(stop); err != nil {
		log.Print(err)
	}
	if err := consumer.Close(stop); err != nil { // what was begun is finished
		log.Print(err)
	}
	// endregion
	// Output: shipped A-1
}

// Example_watch shows bridges beside the signals of a bus.
func Example_watch() {
	bus := signals.NewBus()
	var publisher *natsignals.Publisher // what Publish returned
	var consumer *natsignals.Consumer   // what Consume returned

	// region watch
	insp := inspector.New(bus)
	insp.AddBridge(publisher)
	insp.AddBridge(consumer)
	// endregion
	http.Handle("/debug/signals/", insp)
}

// Example_ordered keeps the order per customer over four partitions, and a
// total for each that counts every order once.
func Example_ordered() {
	ctx := context.Background()
	js, stop := exampleServer(ctx)
	defer stop()

	// region ordered
	placed := signals.New[Placed]()
	publisher, err := natsignals.Publish(ctx, js, placed, "orders.placed", natsignals.SyncAlways(),
		natsignals.Partitioned(4, func(p Placed) string { return p.Customer }))
	if err != nil {
		log.Fatal(err)
	}

	totals, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "totals"})
	if err != nil {
		log.Fatal(err)
	}
	orders := signals.New[Placed]()
	orders.Subscribe(natsignals.Fold(totals,
		func(p Placed) string { return p.Customer },
		func(_ context.Context, cents int, p Placed) (int, error) { return cents + p.Cents, nil }))
	consumer, err := natsignals.Consume(ctx, js, "ORDERS", "totals", orders,
		natsignals.Filter("orders.placed"), natsignals.Ordered(4))
	if err != nil {
		log.Fatal(err)
	}
	// endregion

	placed.Emit(ctx, Placed{"A-1", "ada", 1250})
	placed.Emit(ctx, Placed{"A-2", "ada", 750})
	for consumer.Stats().Handled < 2 {
		<-time.After(time.Millisecond)
	}
	fmt.Println(natsignals.FoldedState[int](ctx, totals, "ada"))
	_ = publisher.Close(ctx)
	_ = consumer.Close(ctx)
	// Output: 2000 <nil>
}

// Example_ask asks another process, and waits for its answer.
func Example_ask() {
	ctx := context.Background()
	js, stop := exampleServer(ctx)
	defer stop()
	nc := js.Conn()

	// region ask
	responder, err := natsignals.Answer(nc, "stock.available", func(_ context.Context, sku string) (int, error) {
		return len(sku), nil
	})
	if err != nil {
		log.Fatal(err)
	}
	available, err := natsignals.Ask[string, int](ctx, nc, "stock.available", "85123A")
	// endregion

	fmt.Println(available, err)
	_ = responder.Close(ctx)
	// Output: 6 <nil>
}

func exampleServer(ctx context.Context) (jetstream.JetStream, func()) {
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		log.Fatal(err)
	}
	server, err := embedded.Start(dir)
	if err != nil {
		log.Fatal(err)
	}
	nc, err := server.Connect()
	if err != nil {
		log.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}}); err != nil {
		log.Fatal(err)
	}
	return js, func() { nc.Close(); server.Close(); _ = os.RemoveAll(dir) }
}

// Example_relay publishes what a store has, and a listener lets the projection
// catch up that its message may have overtaken.
func Example_relay() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "shop")
	defer func() { _ = os.RemoveAll(dir) }()
	server, err := embedded.Start(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	nc, err := server.Connect()
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		log.Fatal(err)
	}
	_, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: "ORDERS", Subjects: []string{"orders.>"}, Duplicates: 10 * time.Minute,
	})
	if err != nil {
		log.Fatal(err)
	}
	store := eventstore.New(eventstore.Memory()) // or over sqlite.Open, or postgres.Open
	if _, err := store.Listen("orders", eventstore.All(), func(context.Context, eventstore.Recorded) error { return nil }); err != nil {
		log.Fatal(err)
	}

	// region relay
	placed := eventstore.Match(eventstore.Item{Types: []string{"placed"}})
	relay, err := natsignals.Relay(ctx, js, store, "orders to NATS", placed,
		func(r eventstore.Recorded) string { return "orders.placed" },
		natsignals.SyncAlways(), natsignals.Window(10*time.Minute))
	if err != nil {
		log.Fatal(err)
	}
	// endregion

	// region overtaken
	orders := signals.New[Placed](signals.Name("order.placed"))
	mailed := make(chan string)
	orders.Subscribe(func(ctx context.Context, p Placed) error {
		if e, ok := natsignals.RecordedOf(ctx); ok {
			if err := store.Wait(ctx, "orders", e.Position); err != nil {
				return err
			}
		}
		mailed <- p.ID // the read model has the order
		return nil
	}, signals.Key("mail"))
	// endregion
	consumer, err := natsignals.Consume(ctx, js, "ORDERS", "mail", orders)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Append(ctx, []eventstore.Event{{Type: "placed", Data: []byte(`{"ID":"order-1"}`)}}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-mailed)
	for _, end := range []func(context.Context) error{relay.Stop, consumer.Close, orders.Close, store.Close} {
		if err := end(ctx); err != nil {
			log.Print(err)
		}
	}
	// Output: order-1
}
