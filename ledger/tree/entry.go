package tree

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// FirstKey is a lower bound of the keys of all entries, so that a state whose keys begin with a lower byte can lie
// in the same store.
const FirstKey = 0xf1

// The first byte of an entry's key.
const (
	tableNode = 0xf1 // then depth/4 in a byte and the bytes that the prefix reaches into, zero bits behind it
	tableLeaf = 0xf2 // then the first 20 bits of the path in three bytes, zero bits behind them, and all of it but two bytes
)

const (
	// leafPrefix is the length of what the keys of all leaves share that lie under one node at topDepth, and no other keys.
	leafPrefix = 1 + (topDepth+7)/8
	leafLength = leafPrefix + 32 - topDepth/8
)

// Split returns the length of a key's prefix: leaves are scanned by it. A store with filters of prefixes need not look
// for leaves where there are none.
func Split(key []byte) int {
	if len(key) > leafPrefix && key[0] == tableLeaf {
		return leafPrefix
	}
	return len(key)
}

// Reader reads the entries of a tree.
type Reader interface {
	// Scan calls visit for the entries with from <= key < to, in bytewise order of keys, and returns its error.
	// Key and value are valid during the call only.
	Scan(from, to []byte, visit func(key, value []byte) error) error
}

// ErrDamaged is returned when the entries contradict each other.
var ErrDamaged = errors.New("the state tree is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

func leafKey(path Hash) []byte {
	const whole = topDepth / 8
	key := append(make([]byte, 0, leafLength+1), tableLeaf)
	key = append(append(key, path[:whole]...), path[whole]&^(0xff>>(topDepth%8)))
	return append(key, path[whole:]...)
}

// leafOf is the leaf of an entry.
func leafOf(key, value []byte) (leaf Leaf, err error) {
	if len(key) != leafLength || len(value) != 32 {
		return leaf, damaged("a leaf of %d and %d bytes", len(key), len(value))
	}
	copy(leaf.Path[:], key[1:])
	copy(leaf.Path[topDepth/8:], key[leafPrefix:])
	leaf.Value = Hash(value)
	return leaf, nil
}

func nodeKey(prefix Hash, depth int) []byte {
	return append([]byte{tableNode, byte(depth / step)}, prefix[:(depth+7)/8]...)
}

// nodePrefix returns the prefix that a key of a node at this depth is for.
func nodePrefix(key []byte, depth int) (prefix Hash, err error) {
	if len(key) != 2+(depth+7)/8 {
		return prefix, damaged("the key of a node at depth %d has %d bytes", depth, len(key))
	}
	copy(prefix[:], key[2:])
	return prefix, nil
}

func encodeNode(s Subtree) []byte {
	return append(binary.AppendUvarint(make([]byte, 0, 40), s.Leaves), s.Hash[:]...)
}

func decodeNode(b []byte) (s Subtree, err error) {
	leaves, n := binary.Uvarint(b)
	if n <= 0 || leaves == 0 || len(b) != n+len(s.Hash) {
		return s, damaged("a node of %d bytes", len(b))
	}
	return Subtree{leaves, Hash(b[n:])}, nil
}

// nodes visits the stored nodes at a depth under a prefix of depth `under`.
func nodes(r Reader, prefix Hash, under, depth int, visit func(prefix Hash, s Subtree) error) error {
	first, last := span(prefix, under)
	from, to := nodeKey(first, depth), append(nodeKey(last, depth), 0)
	return r.Scan(from, to, func(key, value []byte) error {
		prefix, err := nodePrefix(key, depth)
		if err != nil {
			return err
		}
		s, err := decodeNode(value)
		if err != nil {
			return err
		}
		return visit(prefix, s)
	})
}

// children returns the nodes one step below a node, from what is stored.
func children(r Reader, prefix Hash, depth int, node Subtree) (all fan, err error) {
	var leaves uint64
	err = nodes(r, prefix, depth, depth+step, func(below Hash, s Subtree) error {
		all[nibble(&below, depth)] = s
		leaves += s.Leaves
		return nil
	})
	if err == nil && leaves != node.Leaves {
		err = damaged("%d leaves below %x at depth %d, want %d", leaves, prefix, depth, node.Leaves)
	}
	return all, err
}

// leaves appends the leaves under a prefix to list, which must turn out to be as many as the node says.
func leaves(r Reader, list []Leaf, prefix Hash, depth int, node Subtree) ([]Leaf, error) {
	first, last := span(prefix, depth)
	err := r.Scan(leafKey(first), append(leafKey(last), 0), func(key, value []byte) error {
		leaf, err := leafOf(key, value)
		if err == nil && uint64(len(list)) == node.Leaves {
			err = damaged("more than %d leaves below %x at depth %d", node.Leaves, prefix, depth)
		}
		list = append(list, leaf)
		return err
	})
	if err == nil && uint64(len(list)) != node.Leaves {
		err = damaged("%d leaves below %x at depth %d, want %d", len(list), prefix, depth, node.Leaves)
	}
	return list, err
}
