package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"collimate/cmd/collimate/internal/ledgercmd"
	"collimate/consensus"
	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/ledger/light"
	"collimate/node/client"

	"github.com/spf13/cobra"
)

// provenGrants is how many grants a node proves in one answer.
const provenGrants = 250

// readFlags say which node to ask, and whether to believe it.
type readFlags struct {
	node    nodeFlags
	genesis string
}

func (a *app) readFlags(c *cobra.Command, f *readFlags) {
	a.nodeFlags(c, &f.node)
	c.Flags().StringVar(&f.genesis, "genesis", "", "check everything against the validators of this genesis `file`, and trust no node")
}

// read reads the ledger: as the node says it or, with a genesis, through proofs. path is the resource that the proofs
// are of, and found what read makes of it.
func (a *app) read(ctx context.Context, f readFlags, path string, proven func(*ledger.Snapshot) error, trusting func(*client.Client) error) error {
	node, err := a.client(f.node)
	if err != nil {
		return err
	}
	if f.genesis == "" {
		return trusting(node)
	}
	g, err := consensus.LoadGenesis(f.genesis)
	if err != nil {
		return err
	}
	v, err := ledgercmd.Verifier(node, g)
	if err != nil {
		return err
	}
	if err := v.Read(ctx, path, proven); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "proven by the validators' signatures on block %d, of %s\n", v.Trusted.Height, v.Trusted.Time.Format(time.RFC3339))
	return ledgercmd.Fresh(v, time.Now())
}

// printJSON prints a record for people and programs.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (a *app) ledgerSource() *cobra.Command {
	var flags readFlags
	c := &cobra.Command{
		Use:   "source ID",
		Short: "Show a source: by its key id, its alias or a declared OID",
		Example: `  collimate ledger source 93ab... --node http://127.0.0.1:8442
  collimate ledger source 2.25.1234 --genesis genesis.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, name := cmd.Context(), args[0]
			id, idErr := keys.ParseID(name)
			path := "/v1/sources/" + name
			var record *ledger.SourceRecord
			err := a.read(ctx, flags, path, func(s *ledger.Snapshot) (err error) {
				if idErr == nil {
					record, err = s.Source(keys.Source{ID: id})
				} else {
					record, err = s.SourceByOID(name)
				}
				return err
			}, func(n *client.Client) (err error) {
				if idErr == nil {
					record, err = n.Source(ctx, keys.Source{ID: id})
				} else {
					record, err = n.SourceByOID(ctx, name)
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("looking up the source: %w", err)
			}
			return a.printJSON(record)
		},
	}
	a.readFlags(c, &flags)
	return c
}

func (a *app) ledgerStudy() *cobra.Command {
	var flags readFlags
	var study studyFlags
	c := &cobra.Command{
		Use:   "study",
		Short: "Show a study as it stands on the ledger",
		Example: `  collimate ledger study --ticket ticket.json --node http://127.0.0.1:8442
  collimate ledger study --study 5f0c... --genesis genesis.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := study.study()
			if err != nil {
				return err
			}
			var record *ledger.StudyRecord
			err = a.read(cmd.Context(), flags, "/v1/studies/"+id.String(), func(s *ledger.Snapshot) (err error) {
				record, err = s.Study(id)
				return err
			}, func(n *client.Client) (err error) {
				record, err = n.Study(cmd.Context(), id)
				return err
			})
			if err != nil {
				return fmt.Errorf("looking up the study: %w", err)
			}
			return a.printJSON(record)
		},
	}
	a.readFlags(c, &flags)
	study.add(c)
	return c
}

func (a *app) ledgerGrants() *cobra.Command {
	var flags readFlags
	var study studyFlags
	c := &cobra.Command{
		Use:   "grants",
		Short: "Show the grants of a study as they stand on the ledger",
		Long: `Show the grants and revocations of a study as they stand on the ledger, where nobody can see
whom they name: 'collimate grant list' shows that, with your openings.`,
		Example: "  collimate ledger grants --study 5f0c... --genesis genesis.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := study.study()
			if err != nil {
				return err
			}
			var records []ledger.GrantRecord
			err = a.read(cmd.Context(), flags, fmt.Sprintf("/v1/studies/%s/grants?limit=%d", id, provenGrants), func(s *ledger.Snapshot) error {
				study, err := s.Study(id)
				if err != nil {
					return err
				}
				if records, err = s.Grants(id); err == nil && uint64(len(records)) != study.Grants+study.Earlier {
					err = fmt.Errorf("the node shows %d of %d grants; more than %d cannot be proven at once", len(records), study.Grants+study.Earlier, provenGrants)
				}
				return err
			}, func(n *client.Client) (err error) {
				records, err = n.Grants(cmd.Context(), id)
				return err
			})
			if err != nil {
				return fmt.Errorf("looking up the grants: %w", err)
			}
			return a.printJSON(records)
		},
	}
	a.readFlags(c, &flags)
	study.add(c)
	return c
}

func (a *app) ledgerHistory() *cobra.Command {
	var node nodeFlags
	var key string
	var study studyFlags
	c := &cobra.Command{
		Use:   "history",
		Short: "Show what happened to a study of yours, since the node began",
		Long: `Show what happened to a study of yours, since the node began: grants, revocations, holds,
emergencies, recoveries. Only the present owner is told.`,
		Example: "  collimate ledger history --ticket ticket.json --key patient.key --node http://127.0.0.1:8442",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := study.study()
			if err != nil {
				return err
			}
			owner, err := keystore.Load(key)
			if err != nil {
				return err
			}
			n, err := a.client(node)
			if err != nil {
				return err
			}
			events, err := n.History(cmd.Context(), id, owner)
			if err != nil {
				return fmt.Errorf("reading the history: %w", err)
			}
			return a.printJSON(events)
		},
	}
	a.nodeFlags(c, &node)
	study.add(c)
	c.Flags().StringVar(&key, "key", "", "the owner's private key, a `file`")
	_ = c.MarkFlagRequired("key")
	return c
}

func (a *app) ledgerProof() *cobra.Command {
	var node nodeFlags
	var out string
	c := &cobra.Command{
		Use:   "proof KEY ...",
		Short: "Fetch proofs of keys of the state, to keep or to hand on",
		Long: `Fetch proofs that keys of the ledger's state have a value or have none, up to 16 at a time.
KEY is in hexadecimal, as docs/ledger-spec.md 4.1 says it: a study's is 05 and its id. What
is written is a light bundle; 'collimate ledger check' checks it, on any machine.`,
		Example: "  collimate ledger proof 055f0c... --out study.proof --node http://127.0.0.1:8442",
		Args:    cobra.RangeArgs(1, 16),
		RunE: func(cmd *cobra.Command, args []string) error {
			var all [][]byte
			for _, arg := range args {
				key, err := hex.DecodeString(arg)
				if err != nil || len(key) == 0 {
					return usageError{fmt.Errorf("%q is not the hexadecimal digits of a key", arg)}
				}
				all = append(all, key)
			}
			n, err := a.client(node)
			if err != nil {
				return err
			}
			bundle, err := n.Prove(cmd.Context(), all...)
			if err != nil {
				return err
			}
			raw, err := bundle.Encode()
			if err != nil {
				return err
			}
			if err := writeFile(out, raw, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%d bytes in %s\n", len(raw), out)
			return nil
		},
	}
	a.nodeFlags(c, &node)
	c.Flags().StringVar(&out, "out", "", "`file` for the proofs")
	_ = c.MarkFlagRequired("out")
	return c
}

func (a *app) ledgerCheck() *cobra.Command {
	var genesis string
	c := &cobra.Command{
		Use:     "check FILE",
		Short:   "Check proofs against the validators of a genesis file, without a node",
		Example: `  collimate ledger check study.proof --genesis genesis.json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			bundle, err := light.DecodeBundle(raw)
			if err != nil {
				return err
			}
			g, err := consensus.LoadGenesis(genesis)
			if err != nil {
				return err
			}
			v, err := ledgercmd.Verifier(nil, g)
			if err != nil {
				return err
			}
			trusted, err := bundle.Verify(v.Trusted, v.Policy, time.Now())
			if err != nil {
				return fmt.Errorf("checking %s: %w", args[0], err)
			}
			fmt.Fprintf(a.stdout, "block %d of %s, %s\n", trusted.Height, trusted.ChainID, trusted.Time.Format(time.RFC3339))
			for _, e := range bundle.Entries {
				value := "absent"
				if e.Value != nil {
					value = hex.EncodeToString(e.Value)
				}
				fmt.Fprintf(a.stdout, "%x  %s\n", e.Key, value)
			}
			return nil
		},
	}
	c.Flags().StringVar(&genesis, "genesis", "", "genesis `file` of the network")
	_ = c.MarkFlagRequired("genesis")
	return c
}

func (a *app) ledgerWatch() *cobra.Command {
	var node nodeFlags
	var studies []string
	var since int64
	c := &cobra.Command{
		Use:   "watch",
		Short: "Follow the ledger: a line of JSON for each block and each event of the studies named",
		Example: `  collimate ledger watch --node http://127.0.0.1:8442
  collimate ledger watch --study 5f0c... --study 77aa... --since 1200`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if since < 0 {
				return usageError{fmt.Errorf("--since %d: a height is 0 or more", since)}
			}
			var ids []ledger.StudyID
			for _, s := range studies {
				id, err := ledger.ParseStudyID(s)
				if err != nil {
					return usageError{fmt.Errorf("--study: %w", err)}
				}
				ids = append(ids, id)
			}
			n, err := a.client(node)
			if err != nil {
				return err
			}
			lines := json.NewEncoder(a.stdout)
			err = n.Watch(cmd.Context(), since, ids, func(notice client.Notice) error {
				if notice.Block != nil {
					return lines.Encode(notice.Block)
				}
				return lines.Encode(notice.Event)
			})
			if errors.Is(err, context.Canceled) {
				return nil // the reader has seen enough
			}
			return err
		},
	}
	a.nodeFlags(c, &node)
	c.Flags().StringSliceVar(&studies, "study", nil, "`ID` of a study to watch; may be repeated")
	c.Flags().Int64Var(&since, "since", 0, "`height` of the last block that you know: what came after it, within the last hour, comes first")
	return c
}
