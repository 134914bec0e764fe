package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes.
const (
	exitOK          = 0
	exitWrong       = 1 // doctor found something
	exitError       = 2
	exitInterrupted = 130
)

// errWrong ends a command that has said everything, with exitWrong.
var errWrong = errors.New("something is wrong")

// run does what the arguments say and returns the exit code. Errors are one
// line on stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(twoDashes(root, args))
	root.SetOut(stdout)
	root.SetErr(stderr)
	switch err := root.ExecuteContext(ctx); {
	case err == nil:
		return exitOK
	case errors.Is(err, errWrong):
		return exitWrong
	case ctx.Err() != nil:
		_, _ = fmt.Fprintln(stderr, "signals: interrupted")
		return exitInterrupted
	default:
		_, _ = fmt.Fprintln(stderr, "signals: "+clean(err.Error()))
		return exitError
	}
}

// options are those that all commands have.
type options struct {
	timeout time.Duration
	headers []string
}

func newRoot() *cobra.Command {
	var o options
	root := &cobra.Command{
		Use:   "signals",
		Short: "Look at the signals of a running program",
		Long: `Look at the signals of a running program, through the inspector that it has
mounted. URL is where that is, such as http://localhost:8080/debug/signals/; the
http:// may be left out.

Without the option inspector.Authorize, an inspector answers only requests of its
own machine to a loopback address. Where it asks for credentials, give them as
http://USER:PASSWORD@HOST/... or with --header.

Exit codes: 0, 1 if doctor found something wrong, 2 for errors.`,
		Version:            version(),
		Args:               cobra.NoArgs,
		RunE:               func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableSuggestions: true, // they take several lines
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.DurationVar(&o.timeout, "timeout", 10*time.Second, "how long to wait for an answer")
	flags.StringArrayVarP(&o.headers, "header", "H", nil, `send a header, such as "Authorization: Bearer TOKEN"; may be repeated`)
	root.AddCommand(newTop(&o), newGraph(&o), newDoctor(&o))
	return root
}

// oneURL is the Args of the commands.
func oneURL(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one URL, not %d arguments: %s", len(args), cmd.UseLine())
	}
	return nil
}

// open returns a client of the inspector at an address.
func (o *options) open(address string) (*client, error) {
	if o.timeout <= 0 {
		return nil, fmt.Errorf("--timeout %v: want a positive duration", o.timeout)
	}
	base, err := parseURL(address)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	for _, h := range o.headers {
		name, value, ok := strings.Cut(h, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, errors.New(`--header: want "Name: value"`) // it may be a secret: not repeated
		}
		header.Add(name, strings.TrimSpace(value))
	}
	return newClient(base, header, o.timeout), nil
}

// twoDashes lets flags have one dash, as those of the go command: "-json" is
// "--json".
func twoDashes(root *cobra.Command, args []string) []string {
	known := map[string]bool{"help": true, "version": true}
	for _, cmd := range append(root.Commands(), root) {
		for _, set := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
			set.VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
		}
	}
	args = slices.Clone(args)
	for i, arg := range args {
		if arg == "--" {
			break
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if strings.HasPrefix(arg, "-") && len(name) > 1 && known[name] {
			args[i] = "-" + arg
		}
	}
	return args
}

// oneOf completes the values of a flag.
func oneOf(values []string) func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
}
