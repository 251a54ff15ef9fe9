package tree

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// Build returns the subtree under the first n bits of prefix, at most 16, and hands its entries to set, but for the nodes
// above depth 20, which are not stored. The leaves are all that lie there; it sorts them.
func Build(leaves []Leaf, prefix Hash, n int, set func(key, value []byte) error) (Subtree, error) {
	slices.SortFunc(leaves, byPath)
	for i := range leaves {
		path := &leaves[i].Path
		if common(path, &prefix) < n {
			return Subtree{}, fmt.Errorf("building a state tree: the path %x is not under %d bits of %x", *path, n, prefix)
		}
		if i > 0 && leaves[i-1].Path == *path {
			return Subtree{}, fmt.Errorf("building a state tree: the path %x occurs twice", *path)
		}
		if err := set(leafKey(*path), leaves[i].Value[:]); err != nil {
			return Subtree{}, err
		}
	}
	var slots []slot
	for len(leaves) > 0 {
		at, _ := span(leaves[0].Path, topDepth)
		i := 1
		for i < len(leaves) && common(&leaves[i].Path, &at) >= topDepth {
			i++
		}
		s, err := build(leaves[:i], at, topDepth, set)
		if err != nil {
			return Subtree{}, err
		}
		if err := set(nodeKey(at, topDepth), encodeNode(s)); err != nil {
			return Subtree{}, err
		}
		slots, leaves = append(slots, slot{number(at), s}), leaves[i:]
	}
	return over(slots, n), nil
}

// slot is a node at topDepth.
type slot struct {
	number uint32 // its prefix
	sum    Subtree
}

func number(prefix Hash) uint32 { return binary.BigEndian.Uint32(prefix[:]) >> (32 - topDepth) }

// over returns the node at a depth over all slots that lie below it and have leaves, in their order.
func over(slots []slot, depth int) Subtree {
	switch {
	case len(slots) == 0:
		return Subtree{}
	case depth == topDepth:
		return slots[0].sum
	}
	right, _ := slices.BinarySearchFunc(slots, 1, func(s slot, bit uint32) int {
		return cmp.Compare(s.number>>(topDepth-1-depth)&1, bit)
	})
	return Join(over(slots[:right], depth+1), over(slots[right:], depth+1))
}

// Check works out the tree again from its leaves, and returns it. An error wraps ErrDamaged and names the first node that
// differs. Both Readers read the same entries; the nodes are looked up during the scan of the leaves.
func Check(leaves, nodes Reader) (Subtree, error) {
	c := check{r: nodes}
	err := leaves.Scan([]byte{tableLeaf}, []byte{tableLeaf + 1}, func(key, value []byte) error {
		leaf, err := leafOf(key, value)
		if err != nil {
			return err
		}
		if len(c.slot) > 0 && common(&c.slot[0].Path, &leaf.Path) < topDepth {
			if err := c.finish(); err != nil {
				return err
			}
		}
		c.slot = append(c.slot, leaf)
		return nil
	})
	if err == nil {
		err = c.finish()
	}
	if err != nil {
		return Subtree{}, fmt.Errorf("checking the state tree: %w", err)
	}
	stored := 0
	err = nodes.Scan([]byte{tableNode}, []byte{tableNode + 1}, func([]byte, []byte) error {
		stored++
		return nil
	})
	if err == nil && stored != c.nodes {
		err = damaged("%d nodes are stored, want %d", stored, c.nodes)
	}
	if err != nil {
		return Subtree{}, fmt.Errorf("checking the state tree: %w", err)
	}
	return over(c.slots, 0), nil
}

// check is a Check under way.
type check struct {
	r     Reader // of the nodes
	slot  []Leaf // under one prefix of topDepth bits
	slots []slot
	nodes int
}

// finish compares the nodes over the leaves of a slot with those that are stored.
func (c *check) finish() error {
	if len(c.slot) == 0 {
		return nil
	}
	at, _ := span(c.slot[0].Path, topDepth)
	s, err := build(c.slot, at, topDepth, c.compare)
	if err != nil {
		return err
	}
	c.slots, c.slot = append(c.slots, slot{number(at), s}), c.slot[:0]
	return c.compare(nodeKey(at, topDepth), encodeNode(s))
}

func (c *check) compare(key, value []byte) error {
	c.nodes++
	var stored []byte
	err := c.r.Scan(key, append(bytes.Clone(key), 0), func(_, value []byte) error {
		stored = bytes.Clone(value)
		return nil
	})
	if err == nil && !bytes.Equal(stored, value) {
		err = damaged("the node %x at depth %d is stored as %x, want %x", key[2:], int(key[1])*step, stored, value)
	}
	return err
}

// Lookup returns the leaf that r holds for a path, and whether there is one.
func Lookup(r Reader, path Hash) (leaf Leaf, there bool, err error) {
	leaf.Path = path
	key := leafKey(path)
	err = r.Scan(key, append(bytes.Clone(key), 0), func(_, value []byte) error {
		if len(value) != 32 {
			return damaged("a leaf of %d bytes", len(value))
		}
		leaf.Value, there = Hash(value), true
		return nil
	})
	return leaf, there, err
}
