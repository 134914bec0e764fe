package bench

import (
	"context"
	"encoding/binary"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
)

// Watermill's in-process Pub/Sub as its getting started guide has it: the zero
// Config, a message with a new UUID for each event, a goroutine that ranges
// over the messages of a subscription and acknowledges each. And the same with
// BlockPublishUntilSubscriberAck, which makes Publish wait for all of them, and
// so keeps the order.
//
// Not equal: the payload is bytes, written and read here in the shortest way
// (16 bytes and a string); a message has a UUID, metadata and a context, is
// copied for each subscriber, and comes again if it is not acknowledged. With
// the zero Config each message has a goroutine for each subscriber, without a
// bound, and these overtake each other. What it is made for, brokers behind
// the same interface, nothing here has.

const watermillModule = "github.com/ThreeDotsLabs/watermill"

func watermillDefault() Peer {
	p := watermillWith(gochannel.Config{})
	p.Name, p.Setup = "Watermill", "gochannel.Config{}"
	p.Unequal = "no order; payload as bytes; UUID, metadata, a copy and an acknowledgement for each subscriber; goroutines unbounded; no panic recovery"
	return p
}

func watermillAcked() Peer {
	p := watermillWith(gochannel.Config{BlockPublishUntilSubscriberAck: true})
	p.Name, p.Setup, p.Ordered = "Watermill, acked", "BlockPublishUntilSubscriberAck", true
	p.Unequal = "Publish waits until all have handled the event; payload as bytes; UUID, metadata, a copy for each subscriber; no panic recovery"
	return p
}

func watermillWith(config gochannel.Config) Peer {
	return Peer{
		Module: watermillModule,
		Start: func(handlers []func(Event)) Bus {
			bus := gochannel.NewGoChannel(config, watermill.NopLogger{})
			all := make([]<-chan *message.Message, len(handlers))
			for i := range all {
				var err error
				all[i], err = bus.Subscribe(context.Background(), topic)
				must(err)
			}
			wait := receivers(handlers, func(handle func(Event), i int) {
				for m := range all[i] {
					handle(decode(m.Payload))
					m.Ack()
				}
			})
			return Bus{
				Publish: func(e Event) {
					must(bus.Publish(topic, message.NewMessage(watermill.NewUUID(), encode(e))))
				},
				Stop: func() { must(bus.Close()); wait() },
			}
		},
	}
}

func encode(e Event) []byte {
	b := make([]byte, 0, 16+len(e.Symbol))
	b = binary.LittleEndian.AppendUint64(b, e.Seq)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.At))
	return append(b, e.Symbol...)
}

func decode(b []byte) Event {
	return Event{
		Seq:    binary.LittleEndian.Uint64(b),
		At:     int64(binary.LittleEndian.Uint64(b[8:])),
		Symbol: string(b[16:]),
	}
}
