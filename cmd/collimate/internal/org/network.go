package org

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"collimate/consensus"
	"collimate/keys"
	"collimate/ledger"
)

// power is the weight of a validator's vote: all are equal until stake decides.
const power = 10

// defaultUnits is what each organisation may put up for itself where no payers are named: with the default params
// 10,000 writes a day, more than any centre makes.
const defaultUnits = 1000

// maxFileBytes bounds member.json and members.json; an entry has 400 bytes.
const maxFileBytes = 1 << 20

// The files of a network, the same at every member.
const (
	GenesisFile = "genesis.json"
	MembersFile = "members.json"
)

// Member is what the others must know of an organisation.
type Member struct {
	Name         string              `json:"name"`
	KeyID        keys.ID             `json:"key_id"`        // of the organisation's key
	PeerID       string              `json:"peer_id"`       // of its node, as libp2p writes it
	ValidatorKey ledger.ValidatorKey `json:"validator_key"` // of its node
	Address      string              `json:"address"`       // host:port (UDP) of its node
	Validator    bool                `json:"validator"`     // whether the node takes part in making blocks
}

// ReadMember reads the entry of an organisation from its directory, or from its member.json.
func ReadMember(path string) (*Member, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, MemberFile)
	}
	var m Member
	err := readJSON(path, &m)
	return &m, err
}

// ReadMembers reads the address book of a network.
func ReadMembers(path string) ([]Member, error) {
	var m []Member
	err := readJSON(path, &m)
	return m, err
}

// CreateNetwork makes the genesis and the address book of a network, and writes both into each of the
// directories. It overwrites nothing: a genesis is made once. Without payers each member is one, for itself.
func CreateNetwork(chainID string, members []*Member, payers []consensus.Payer, at time.Time, dirs ...string) (*consensus.Genesis, error) {
	g := &consensus.Genesis{ChainID: chainID, Time: at.UTC().Truncate(time.Millisecond), Payers: payers}
	seen := map[string]string{}
	for _, m := range members {
		for _, unique := range []string{m.PeerID, m.ValidatorKey.String(), m.Address} {
			if other, twice := seen[unique]; twice {
				return nil, fmt.Errorf("%s and %s have the same address or node key: each organisation needs its own", other, m.Name)
			}
			seen[unique] = m.Name
		}
		if m.Validator {
			g.Validators = append(g.Validators, consensus.Validator{Name: m.Name, Key: m.ValidatorKey, Power: power})
		}
	}
	if len(payers) == 0 {
		for _, m := range members {
			g.Payers = append(g.Payers, consensus.Payer{Name: m.Name, Key: m.KeyID, Units: defaultUnits})
		}
	}
	for _, dir := range dirs {
		if err := errors.Join(g.Save(filepath.Join(dir, GenesisFile)), writeJSON(filepath.Join(dir, MembersFile), members)); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// writeJSON writes a new file.
func writeJSON(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(raw, '\n'))
	return errors.Join(err, f.Close())
}

func readJSON(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxFileBytes)).Decode(v); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}
