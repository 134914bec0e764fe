package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"example.com/signals/eventstore"
)

func newStoreTail() *cobra.Command {
	var n int
	var asJSON bool
	var item eventstore.Item
	cmd := &cobra.Command{
		Use:   "tail FILE",
		Short: "Show the last events",
		Long: `Show the last events, the newest at the end: of a stream, of any of the types, with
all of the tags. With --json each is a line of JSON. If there are none, standard
error says why: the store has no such stream, for example.`,
		Example: `  signals store tail orders.db
  signals store tail orders.db -n 100 -type order.placed -tag customer:7 -json`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if n < 1 || n > maxTail {
				return fmt.Errorf("-n %d: want 1 to %d; export writes all", n, maxTail)
			}
			query := eventstore.All()
			if item.Stream != "" || len(item.Types)+len(item.Tags) > 0 {
				query = eventstore.Match(item)
			}
			return withStore(cmd.Context(), args[0], false, func(s *eventstore.Store) error {
				var lines []string
				for r, err := range s.Read(cmd.Context(), query, eventstore.Backward(), eventstore.Limit(n)) {
					if err != nil {
						return err
					}
					line, err := lineOf(r, asJSON)
					if err != nil {
						return err
					}
					lines = append(lines, line)
				}
				if len(lines) == 0 {
					why, err := absent(cmd.Context(), s, item)
					if err != nil {
						return err
					}
					_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", shown(clean(args[0])), shown(clean(why)))
					return err
				}
				for _, line := range slices.Backward(lines) {
					if _, err := fmt.Fprintln(cmd.OutOrStdout(), line); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.IntVarP(&n, "number", "n", 10, "how many")
	flags.StringVar(&item.Stream, "stream", "", "only events of this stream")
	flags.StringArrayVar(&item.Types, "type", nil, "only events of this type; may be repeated for any of several")
	flags.StringArrayVar(&item.Tags, "tag", nil, "only events with this tag; may be repeated for all of several")
	flags.BoolVar(&asJSON, "json", false, "write each event as a line of JSON")
	return cmd
}

const (
	maxTail  = 100_000
	maxShown = 200 // bytes of data in a line for people
)

// absent says why no event matches.
func absent(ctx context.Context, s *eventstore.Store, item eventstore.Item) (string, error) {
	head, err := s.Head(ctx)
	if err != nil || head == 0 {
		return "it has no events yet", err
	}
	var missing []string
	look := func(what, name string, one eventstore.Item) error {
		for _, err := range s.Read(ctx, eventstore.Match(one), eventstore.Limit(1)) {
			return err
		}
		missing = append(missing, fmt.Sprintf("no %s %q", what, name))
		return nil
	}
	if item.Stream != "" {
		err = look("stream", item.Stream, eventstore.Item{Stream: item.Stream})
	}
	for _, name := range item.Types {
		err = errors.Join(err, look("type", name, eventstore.Item{Types: []string{name}}))
	}
	for _, name := range item.Tags {
		err = errors.Join(err, look("tag", name, eventstore.Item{Tags: []string{name}}))
	}
	if missing == nil {
		return fmt.Sprintf("none of its %s is all of that", plural(int(head), "event")), err
	}
	return "there is " + strings.Join(missing, ", ") + " in it", err
}

// lineOf writes an event in a line.
func lineOf(r eventstore.Recorded, asJSON bool) (string, error) {
	if asJSON {
		e := struct {
			Position eventstore.Position `json:"position"`
			ID       string              `json:"id"`
			Type     string              `json:"type"`
			Schema   int                 `json:"schema"`
			Stream   string              `json:"stream,omitempty"`
			Version  uint64              `json:"version,omitempty"`
			Tags     []string            `json:"tags,omitempty"`
			Time     time.Time           `json:"time"`
			Stored   time.Time           `json:"stored"`
			Meta     map[string]string   `json:"meta,omitempty"`
			JSON     json.RawMessage     `json:"json,omitempty"`
			Data     []byte              `json:"data,omitempty"`
		}{r.Position, r.ID, r.Type, r.Schema, r.Stream, r.Version, r.Tags, r.Time, r.Stored, r.Meta, nil, nil}
		if utf8.Valid(r.Data) && json.Valid(r.Data) {
			e.JSON = r.Data
		} else {
			e.Data = r.Data
		}
		data, err := json.Marshal(e)
		if err != nil {
			return "", err
		}
		data, err = cleanJSONLine(data)
		return strings.TrimSuffix(string(data), "\n"), err
	}
	parts := []string{fmt.Sprint(r.Position), r.Time.Format(time.RFC3339), r.Type}
	if r.Stream != "" {
		parts = append(parts, fmt.Sprintf("%s/%d", r.Stream, r.Version))
	}
	for _, tag := range r.Tags {
		parts = append(parts, "#"+tag)
	}
	data := string(r.Data[:min(len(r.Data), maxShown)])
	if !utf8.Valid(r.Data) {
		data = "(" + plural(len(r.Data), "byte") + ")"
	} else if len(r.Data) > maxShown {
		data = strings.ToValidUTF8(data, "") + fmt.Sprintf("… (%d bytes)", len(r.Data))
	}
	return shown(clean(strings.TrimSpace(strings.Join(append(parts, data), "  ")))), nil
}
