package main

import (
	"encoding/json"
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
all of the tags. With --json each is a line of JSON.`,
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
		data = fmt.Sprintf("(%d bytes)", len(r.Data))
	} else if len(r.Data) > maxShown {
		data = strings.ToValidUTF8(data, "") + fmt.Sprintf("… (%d bytes)", len(r.Data))
	}
	return shown(clean(strings.TrimSpace(strings.Join(append(parts, data), "  ")))), nil
}
