package p2p

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/libp2p/go-libp2p/core/protocol"
)

// helloProtocol is the libp2p protocol of the exchange: the dialler writes its hello and closes its side, the
// other answers with its own.
const helloProtocol protocol.ID = "/collimate/hello/1"

// A hello is what two nodes tell each other first:
//
//	 0  1   version, 1
//	 1  32  SHA-256 of the genesis
//	33  16  boot nonce: random, new with each start of the process
//	49  8   session number, big endian: new each time the sender has dropped the receiver
//	57  1   1 for a guest, else 0
//	58  1   length of the chain id, 1 to 50
//	59      chain id
type hello struct {
	genesis [32]byte
	boot    [16]byte
	session uint64
	guest   bool // asks and answers, and never joins the switch
	chain   string
}

const (
	helloVersion = 1
	helloFixed   = 1 + 32 + 16 + 8 + 1 + 1
)

// errHello is returned for bytes that are not a hello.
var errHello = errors.New("malformed hello")

// ErrForeignChain is wrapped by the error for a peer whose chain id or genesis differs from ours.
var ErrForeignChain = errors.New("peer is on another chain")

func (m hello) append(b []byte) []byte {
	b = append(b, helloVersion)
	b = append(b, m.genesis[:]...)
	b = append(b, m.boot[:]...)
	b = binary.BigEndian.AppendUint64(b, m.session)
	role := byte(0)
	if m.guest {
		role = 1
	}
	b = append(b, role, byte(len(m.chain)))
	return append(b, m.chain...)
}

func parseHello(b []byte) (hello, error) {
	var m hello
	if len(b) < helloFixed {
		return m, fmt.Errorf("%w: %d bytes, want at least %d", errHello, len(b), helloFixed)
	}
	if b[0] != helloVersion {
		return m, fmt.Errorf("%w: version %d, want %d", errHello, b[0], helloVersion)
	}
	copy(m.genesis[:], b[1:])
	copy(m.boot[:], b[33:])
	m.session = binary.BigEndian.Uint64(b[49:])
	if b[57] > 1 {
		return hello{}, fmt.Errorf("%w: role %d", errHello, b[57])
	}
	m.guest = b[57] == 1
	m.chain = string(b[helloFixed:])
	if n := int(b[helloFixed-1]); n == 0 || n > maxChainID || n != len(m.chain) {
		return hello{}, fmt.Errorf("%w: chain id of %d bytes is declared as %d", errHello, len(m.chain), n)
	}
	return m, nil
}

// readHello reads one hello up to the end of the stream.
func readHello(r io.Reader) (hello, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxHello+1))
	if err != nil {
		return hello{}, fmt.Errorf("reading hello: %w", err)
	}
	return parseHello(b)
}

// check compares a peer's hello with ours.
func (m hello) check(theirs hello) error {
	switch {
	case theirs.chain != m.chain:
		return fmt.Errorf("%w: its chain id is %q, ours is %q", ErrForeignChain, theirs.chain, m.chain)
	case theirs.genesis != m.genesis:
		return fmt.Errorf("%w: chain id %q is the same, but its genesis hash is %x and ours is %x",
			ErrForeignChain, m.chain, theirs.genesis[:8], m.genesis[:8])
	case theirs.boot == m.boot:
		return errors.New("peer has our own boot nonce: two nodes run with one identity, or we dialled ourselves")
	}
	return nil
}
