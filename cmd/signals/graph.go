package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// format is a way to write the wiring graph.
type format struct {
	name       string
	extensions []string
	begins     string // how each such graph begins
}

var formats = []format{
	{"svg", []string{".svg"}, "<svg"},
	{"dot", []string{".dot", ".gv"}, "digraph"},
	{"mmd", []string{".mmd", ".mermaid"}, "flowchart"},
	{"json", []string{".json"}, "{"},
}

func formatNames() (names []string) {
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

func newGraph(o *options) *cobra.Command {
	var file, name, filter string
	var limit, offset int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "graph URL",
		Short: "Write the wiring graph: who emits what, and who listens",
		Long: `Write the wiring graph: who emits what, and who listens. The extension of the
file says how: .svg, .dot (Graphviz), .mmd (Mermaid) or .json.`,
		Example: `  signals graph localhost:8080/debug/signals -o wiring.svg
  signals graph localhost:8080/debug/signals -format dot | dot -Tpng > wiring.png
  signals graph localhost:8080/debug/signals -filter order -o orders.mmd`,
		Args:              oneURL,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON && name == "" {
				name = "json"
			}
			f, err := chooseFormat(name, file)
			if err != nil {
				return err
			}
			query := url.Values{}
			if cmd.Flags().Changed("limit") {
				if limit < 0 {
					return fmt.Errorf("--limit %d: want 0 or more", limit)
				}
				query.Set("limit", strconv.Itoa(limit))
			}
			if offset < 0 {
				return fmt.Errorf("--offset %d: want 0 or more", offset)
			}
			if offset > 0 {
				query.Set("offset", strconv.Itoa(offset))
			}
			if filter != "" {
				query.Set("q", filter)
			}
			c, err := o.open(args[0])
			if err != nil {
				return err
			}
			data, err := c.get(cmd.Context(), "graph."+f.name, query, c.timeout)
			if err != nil {
				return err
			}
			if data = bytes.TrimSpace(data); !bytes.HasPrefix(data, []byte(f.begins)) {
				return c.stranger("its answer is not a graph")
			}
			if f.name != "json" {
				data = []byte(cleanFile(string(data)) + "\n")
			} else if data, err = cleanJSON(data); err != nil {
				return c.stranger("its answer is not a graph")
			}
			if file == "-" {
				_, err = cmd.OutOrStdout().Write(data)
				return err
			}
			return os.WriteFile(file, data, 0o644)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&file, "output", "o", "-", "the file to write; - is standard output")
	flags.StringVarP(&name, "format", "f", "", "svg, dot, mmd or json; without it, what the extension of the file says")
	flags.StringVar(&filter, "filter", "", "only signals with these words in their name or that of a listener")
	flags.IntVar(&limit, "limit", 0, "draw at most so many signals, 0 for as many as the inspector draws at once (300); without it, 60")
	flags.Lookup("limit").DefValue = ""
	flags.IntVar(&offset, "offset", 0, "leave out so many signals, those in trouble and the busiest first")
	flags.BoolVar(&asJSON, "json", false, "write it as JSON, as --format json does")
	_ = cmd.RegisterFlagCompletionFunc("format", oneOf(formatNames()))
	return cmd
}

// chooseFormat returns the format of a name, or, without one, of a file.
func chooseFormat(name, file string) (format, error) {
	extension := strings.ToLower(filepath.Ext(file))
	k := slices.IndexFunc(formats, func(f format) bool {
		return name != "" && f.name == name || name == "" && slices.Contains(f.extensions, extension)
	})
	switch {
	case k >= 0:
		return formats[k], nil
	case name != "":
		return format{}, fmt.Errorf("--format %s: want one of %s", name, strings.Join(formatNames(), ", "))
	case file == "-":
		return format{}, errors.New("which format? Say --format " + strings.Join(formatNames(), "|") + ", or -o wiring.svg")
	}
	return format{}, fmt.Errorf("-o %s: cannot tell the format from %q; use .svg, .dot, .mmd or .json, or say --format", file, extension)
}
