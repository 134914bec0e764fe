package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes.
const (
	exitOK          = 0
	exitWrong       = 1 // doctor or store check found something
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
		_, _ = fmt.Fprintln(stderr, "signals: "+shown(clean(err.Error())))
		return exitError
	}
}

// options are those that all commands have.
type options struct {
	timeout           time.Duration
	headers           []string
	tokenFile         string
	caFile            string
	certFile, keyFile string
	insecure          bool
}

func newRoot() *cobra.Command {
	var o options
	root := &cobra.Command{
		Use:   "signals",
		Short: "Look at the signals of a running program",
		Long: `Look at the signals of a running program, through the inspector that it has
mounted. URL is where that is, such as http://localhost:8080/debug/signals/; the
http:// may be left out. unix:/run/shop.sock:/debug/signals/ is one on a Unix
socket.

Without the option inspector.Authorize, an inspector answers only requests of its
own machine to a loopback address. Where it asks for credentials, give them with
--token-file or --header @FILE, or in the environment: SIGNALS_TOKEN is a bearer
token, SIGNALS_HEADER has headers, one a line. Arguments, and with them
http://USER:PASSWORD@HOST/..., can be read by other users of the machine.

signals store looks at an event store in a file instead.

Exit codes: 0, 1 if doctor or store check found something wrong, 2 for errors.`,
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
	flags.StringArrayVarP(&o.headers, "header", "H", nil, `send a header, such as "X-Team: shop"; @FILE reads headers from a file, one a line; may be repeated`)
	flags.StringVar(&o.tokenFile, "token-file", "", "send what is in the file as a bearer token")
	flags.StringVar(&o.caFile, "cacert", "", "trust the certificates in this PEM file, and no others")
	flags.StringVar(&o.certFile, "cert", "", "show this client certificate, a PEM file; with --key")
	flags.StringVar(&o.keyFile, "key", "", "the key of --cert, a PEM file")
	flags.BoolVarP(&o.insecure, "insecure", "k", false, "trust any certificate: whoever is in between can read and answer")
	root.AddCommand(newTop(&o), newGraph(&o), newDoctor(&o), newStore())
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
	socket, over, err := splitSocket(address)
	if err != nil {
		return nil, err
	}
	base, err := parseURL(over)
	if err != nil {
		return nil, err
	}
	header, err := o.header(base)
	if err != nil {
		return nil, err
	}
	transport, err := o.transport(base, socket)
	if err != nil {
		return nil, err
	}
	return newClient(base, socket, header, o.timeout, transport), nil
}

// twoDashes lets flags have one dash, as those of the go command: "-json" is
// "--json".
func twoDashes(root *cobra.Command, args []string) []string {
	known := map[string]bool{"help": true, "version": true}
	all := append(root.Commands(), root)
	for _, cmd := range root.Commands() {
		all = append(all, cmd.Commands()...)
	}
	for _, cmd := range all {
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
