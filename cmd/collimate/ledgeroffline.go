package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"collimate/cmd/collimate/internal/config"
	"collimate/consensus"

	"github.com/spf13/cobra"
)

// progressEvery is how often long work on the ledger says where it is.
const progressEvery = 5 * time.Second

// slowly returns a function that says where long work is: at once, and again after progressEvery.
func (a *app) slowly() func(format string, args ...any) {
	var last time.Time
	return func(format string, args ...any) {
		if now := time.Now(); now.Sub(last) >= progressEvery {
			last = now
			fmt.Fprintf(a.stderr, format+"\n", args...)
		}
	}
}

// counter counts the bytes that are written to it, and tells.
type counter struct {
	n    int64
	tell func(n int64)
}

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	c.tell(c.n)
	return len(b), nil
}

// nodeOf reads where a configuration keeps its node, and of which network it is.
func (a *app) nodeOf(path string) (dir string, g *consensus.Genesis, err error) {
	c, err := a.load(path)
	if err != nil {
		return "", nil, err
	}
	g, err = consensus.LoadGenesis(c.Network.Genesis)
	return c.Path(config.LedgerDir), g, err
}

// warnings is a log of what goes wrong and of nothing else.
func (a *app) warnings() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func (a *app) ledgerVerify() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Make the state of this node again from its blocks, and compare every byte",
		Long: `Make the ledger's state again from the blocks that this node keeps, check their signatures
and links on the way, and compare the result with the state on disk, byte by byte. The
first difference is named. The server must be stopped; nothing is changed.`,
		Example: "  collimate ledger verify --config north/collimate.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, g, err := a.nodeOf(path)
			if err != nil {
				return err
			}
			say, what := a.slowly(), ""
			v, err := consensus.VerifyChain(cmd.Context(), dir, g, func(p consensus.Progress) {
				if p.What != what {
					say, what = a.slowly(), p.What
				}
				if p.Of == 0 {
					say("%s %d", p.What, p.Done)
				} else {
					say("%s %d of %d", p.What, p.Done, p.Of)
				}
			}, a.warnings())
			if err != nil {
				return err
			}
			begun := "the genesis"
			if v.Snapshot > 0 {
				begun = fmt.Sprintf("the snapshot after block %d, as older blocks have been deleted", v.Snapshot)
			}
			fmt.Fprintf(a.stdout, "every byte is right\n  begun with    %s\n  blocks        %d to %d, signatures up to %d\n  transactions  %d\n  records       %d\n  app hash      %x\n",
				begun, v.From, v.To, v.Last, v.Transactions, v.Records, v.AppHash)
			return nil
		},
	}
	a.configFlag(c, &path)
	return c
}

func (a *app) ledgerExport() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "export FILE",
		Short: "Write the newest snapshot of this node into one file",
		Long: `Write the newest snapshot of the ledger's state that this node has made into one file, with
which another node can join without the network: see 'ledger import'. The server may run.`,
		Example: "  collimate ledger export ledger.archive --config north/collimate.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			dir, _, err := a.nodeOf(path)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if err != nil {
				return err
			}
			say := a.slowly()
			height, err := consensus.ExportArchive(dir, io.MultiWriter(f, &counter{tell: func(n int64) { say("%s written", byteCount(n)) }}))
			if err == nil {
				err = f.Sync()
			}
			if closed := f.Close(); err == nil {
				err = closed
			}
			if err != nil {
				_ = os.Remove(args[0]) // half an archive is none
				return err
			}
			fmt.Fprintf(a.stdout, "the state after block %d is in %s\n", height, args[0])
			return nil
		},
	}
	a.configFlag(c, &path)
	return c
}

func (a *app) ledgerImport() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Give a new node the state of an exported file",
		Long: `Give a node that has no state yet the state of a file that 'ledger export' wrote. The file is
believed as far as the validators of the genesis have signed what it says. When the server
is started, it catches up from there.`,
		Example: "  collimate ledger import ledger.archive --config new/collimate.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, g, err := a.nodeOf(path)
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				return err
			}
			say := a.slowly()
			read := &counter{tell: func(n int64) { say("%s of %s read", byteCount(n), byteCount(info.Size())) }}
			height, err := consensus.ImportArchive(cmd.Context(), consensus.Config{Dir: dir, Genesis: g}, io.TeeReader(f, read), a.warnings())
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "the node has the state after block %d\n", height)
			return nil
		},
	}
	a.configFlag(c, &path)
	return c
}
