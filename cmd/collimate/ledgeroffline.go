package main

import (
	"fmt"
	"log/slog"
	"os"

	"collimate/cmd/collimate/internal/config"
	"collimate/consensus"

	"github.com/spf13/cobra"
)

// progressBlocks is after how many blocks 'ledger verify' says where it is.
const progressBlocks = 10_000

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
			v, err := consensus.VerifyChain(cmd.Context(), dir, g, func(height, last int64) {
				if height%progressBlocks == 0 {
					fmt.Fprintf(a.stderr, "block %d of %d\n", height, last)
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
			height, err := consensus.ExportArchive(dir, f)
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
			height, err := consensus.ImportArchive(cmd.Context(), consensus.Config{Dir: dir, Genesis: g}, f, a.warnings())
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
