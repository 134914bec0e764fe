package document

import (
	"context"
	"fmt"
	"time"

	"example.com/signals"
	"example.com/signals/examples/internal/docs/document/uuid"
)

// region eventstore

type EventStore struct {
	eventPersisted signals.SyncSignal[StoredEvent] // Must be durable
	eventProcessed signals.Signal[StoredEvent]     // Can be async
	snapshotTaken  signals.Signal[SnapshotEvent]   // Background task
}

func (es *EventStore) AppendEvent(event Event) error {
	storedEvent := StoredEvent{
		ID:        uuid.New(),
		Type:      event.Type(),
		Data:      event.Data(),
		Timestamp: time.Now(),
	}

	// Synchronous persistence (transaction critical)
	if err := es.eventPersisted.TryEmit(context.Background(), storedEvent); err != nil {
		return fmt.Errorf("failed to persist event: %w", err)
	}

	// Asynchronous processing (fire and forget)
	go es.eventProcessed.Emit(context.Background(), storedEvent)

	return nil
}

// endregion
