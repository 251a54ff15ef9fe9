package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"collimate/cmd/collimate/internal/ledgercmd"
	"collimate/cmd/collimate/internal/owner"
	"collimate/gateway"
	"collimate/keys"
	"collimate/keys/keystore"
	"collimate/ledger"
	"collimate/node/client"
)

// grantDays is how long the demo's grants last.
const grantDays = 30

// claimAndAllow is step 3: the patient, who holds the claim ticket and a key of their own.
func (d *demo) claimAndAllow(ctx context.Context) error {
	claimed, err := d.claim(ctx, d.study)
	if err != nil {
		return err
	}
	g, err := d.allow(ctx, d.study, "opening-1.json")
	if err != nil {
		return err
	}
	d.out.say("claimed in block %d: the study belongs to key %s", claimed.Height, d.study.OwnerKeyID)
	d.out.say("granted in block %d, for %d days: the ledger shows only %s", g.Receipt.Height, grantDays, g.Commitment)
	d.out.say("whom that names, north was told over its own endpoint")
	ticket, key := d.relative(d.study.Ticket), d.relative(d.study.OwnerKey)
	d.out.hand(
		"collimate keys show "+key,
		fmt.Sprintf("collimate study claim --ticket %s --key %s --config north/collimate.yaml", ticket, key),
		fmt.Sprintf("collimate grant allow --ticket %s --key %s --to south/keys/organisation.crt --days %d --config north/collimate.yaml", ticket, key, grantDays),
		fmt.Sprintf("collimate grant list --ticket %s --config north/collimate.yaml", ticket),
	)
	return nil
}

// patient returns the patient, who talks to north's node, and makes their key if there is none.
func (d *demo) patient(s *Study) (*owner.Owner, error) {
	s.OwnerKey = d.path("patient", "patient.key")
	key, err := keystore.Load(s.OwnerKey)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(s.OwnerKey), 0o700); err != nil {
			return nil, err
		}
		if key, err = keystore.Generate(keystore.P256); err != nil {
			return nil, err
		}
		err = keystore.Save(s.OwnerKey, key)
	}
	if err != nil {
		return nil, err
	}
	return &owner.Owner{Key: key, Reader: ledgercmd.Reader{Node: client.New(d.source.LedgerURL)}}, nil
}

// claim makes a study the patient's.
func (d *demo) claim(ctx context.Context, s *Study) (client.Receipt, error) {
	patient, err := d.patient(s)
	if err != nil {
		return client.Receipt{}, err
	}
	id, err := patient.ID()
	if err != nil {
		return client.Receipt{}, err
	}
	s.OwnerKeyID = id.ID
	raw, err := os.ReadFile(s.Ticket)
	if err != nil {
		return client.Receipt{}, err
	}
	ticket, err := gateway.ParseTicket(raw)
	if err != nil {
		return client.Receipt{}, err
	}
	r, err := patient.Claim(ctx, ticket)
	if err != nil {
		return r, fmt.Errorf("claiming: %w", err)
	}
	return r, nil
}

// allow lets south in to a study, tells north, and keeps the opening.
func (d *demo) allow(ctx context.Context, s *Study, opening string) (*owner.Grant, error) {
	patient, err := d.patient(s)
	if err != nil {
		return nil, err
	}
	o := owner.NewOpening(s.StudyID, keys.Grantee{ID: s.Grantee.KeyID})
	raw, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return nil, err
	}
	s.Opening = d.path("patient", opening)
	if err := os.WriteFile(s.Opening, append(raw, '\n'), 0o600); err != nil {
		return nil, err
	}
	g, err := patient.Allow(ctx, o, owner.Reach{Scope: ledger.ScopeAll}, time.Now().AddDate(0, 0, grantDays))
	if err != nil {
		return nil, fmt.Errorf("granting: %w", err)
	}
	if err := owner.Disclose(ctx, patient.Reader, o); err != nil {
		return nil, err
	}
	s.Granted = true
	return g, nil
}

// revokeGrant revokes the grant that the study's opening names.
func (d *demo) revokeGrant(ctx context.Context, s *Study) (client.Receipt, error) {
	patient, err := d.patient(s)
	if err != nil {
		return client.Receipt{}, err
	}
	raw, err := os.ReadFile(s.Opening)
	if err != nil {
		return client.Receipt{}, err
	}
	var o gateway.Opening
	if err := json.Unmarshal(raw, &o); err != nil {
		return client.Receipt{}, fmt.Errorf("reading the opening: %w", err)
	}
	s.Granted = false
	r, err := patient.Revoke(ctx, s.StudyID, o.Commitment())
	if err != nil {
		return r, fmt.Errorf("revoking: %w", err)
	}
	return r, nil
}
