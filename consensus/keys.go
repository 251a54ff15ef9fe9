package consensus

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	cmted "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/privval"

	"collimate/keys/keystore"
	"collimate/p2p"
)

// The files of a node, under its directory. The validator's two are in the engine's own format, as it is the engine
// that syncs the second before each signature: it says what was signed last, and a validator that signs without
// it, or with an old copy, can be made to vote twice and lose its bond.
const (
	fileIdentity  = "config/node_key.pem"            // libp2p identity, PKCS #8
	fileValidator = "config/priv_validator_key.json" // signs votes and proposals
	fileSigned    = "data/priv_validator_state.json" // what was signed last; never restore it from a backup
)

// NodeKeys are the public names of a node.
type NodeKeys struct {
	PeerID       string   // libp2p peer id, base58
	ValidatorKey [32]byte // Ed25519
}

// InitKeys makes the identity and the validator key of a node in dir. It never overwrites: with keys already there
// it fails with fs.ErrExist.
func InitKeys(dir string) (NodeKeys, error) {
	for _, name := range []string{fileIdentity, fileValidator, fileSigned} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return NodeKeys{}, fmt.Errorf("making node keys: %s: %w", name, fs.ErrExist)
		}
	}
	for _, sub := range []string{"config", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return NodeKeys{}, fmt.Errorf("making node keys: %w", err)
		}
	}
	id, err := keystore.Generate(keystore.Ed25519)
	if err != nil {
		return NodeKeys{}, fmt.Errorf("making the node's identity: %w", err)
	}
	if err := keystore.Save(filepath.Join(dir, fileIdentity), id); err != nil {
		return NodeKeys{}, fmt.Errorf("saving the node's identity: %w", err)
	}
	if err := saveValidator(dir, cmted.GenPrivKey()); err != nil {
		return NodeKeys{}, err
	}
	return LoadKeys(dir)
}

// saveValidator writes a fresh validator key and the record that it has signed nothing. The engine's Save would
// exit the process on an error.
func saveValidator(dir string, key cmted.PrivKey) error {
	pv := privval.NewFilePV(key, "", "")
	for name, v := range map[string]any{fileValidator: pv.Key, fileSigned: pv.LastSignState} {
		b, err := cmtjson.MarshalIndent(v, "", "  ")
		if err != nil {
			return fmt.Errorf("encoding %s: %w", name, err)
		}
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("saving the validator key: %w", err)
		}
		_, err = f.Write(b)
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("saving the validator key: %w", err)
		}
	}
	return nil
}

// LoadKeys returns the public names of the node in dir.
func LoadKeys(dir string) (NodeKeys, error) {
	id, err := loadIdentity(dir)
	if err != nil {
		return NodeKeys{}, err
	}
	pv, err := loadValidator(dir)
	if err != nil {
		return NodeKeys{}, err
	}
	peer, err := p2p.IDOf(id.Public().(ed25519.PublicKey))
	if err != nil {
		return NodeKeys{}, err
	}
	return NodeKeys{PeerID: peer, ValidatorKey: [32]byte(pv.Key.PubKey.Bytes())}, nil
}

func loadIdentity(dir string) (ed25519.PrivateKey, error) {
	key, err := keystore.Load(filepath.Join(dir, fileIdentity))
	if err != nil {
		return nil, fmt.Errorf("loading the node's identity: %w", err)
	}
	id, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("loading the node's identity: %s holds a %T, want Ed25519", fileIdentity, key)
	}
	return id, nil
}

// loadValidator loads the validator key with what it signed last. The engine's own loader would exit the process
// on an error, so the files are tried first.
func loadValidator(dir string) (*privval.FilePV, error) {
	keyFile, signedFile := filepath.Join(dir, fileValidator), filepath.Join(dir, fileSigned)
	info, err := os.Stat(keyFile)
	if err != nil {
		return nil, fmt.Errorf("loading the validator key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("loading the validator key: others may read %s: chmod 600 it", fileValidator)
	}
	b, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("loading the validator key: %w", err)
	}
	var key privval.FilePVKey
	if err := cmtjson.Unmarshal(b, &key); err != nil {
		return nil, fmt.Errorf("loading the validator key: %s: %w", fileValidator, err)
	}
	if k, ok := key.PrivKey.(cmted.PrivKey); !ok || len(k) != cmted.PrivateKeySize {
		return nil, fmt.Errorf("loading the validator key: %s holds no Ed25519 key", fileValidator)
	}
	b, err = os.ReadFile(signedFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("loading the validator key: %s is missing: without it the validator could vote twice; "+
			"if it is lost, this validator needs a new key", fileSigned)
	}
	if err != nil {
		return nil, fmt.Errorf("loading the validator key: %w", err)
	}
	if err := cmtjson.Unmarshal(b, &privval.FilePVLastSignState{}); err != nil {
		return nil, fmt.Errorf("loading the validator key: %s: %w", fileSigned, err)
	}
	return privval.LoadFilePV(keyFile, signedFile), nil
}

// proofTag begins every message that SignValidatorProof signs. ledger-spec 2
const proofTag = "collimate/validator-proof/v1\x00"

// SignValidatorProof signs the proof that a source possesses the validator key in dir; msg is
// ledger.ValidatorProofMessage. It signs nothing else: the same key signs votes.
func SignValidatorProof(dir string, msg []byte) ([64]byte, error) {
	if !bytes.HasPrefix(msg, []byte(proofTag)) {
		return [64]byte{}, errors.New("signing a validator proof: the message is not one: build it with ledger.ValidatorProofMessage")
	}
	pv, err := loadValidator(dir)
	if err != nil {
		return [64]byte{}, err
	}
	sig, err := pv.Key.PrivKey.Sign(msg)
	if err != nil || len(sig) != 64 {
		return [64]byte{}, fmt.Errorf("signing a validator proof: %d bytes: %w", len(sig), err)
	}
	return [64]byte(sig), nil
}
