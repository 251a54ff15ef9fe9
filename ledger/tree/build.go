package tree

import (
	"bytes"
	"fmt"
	"slices"
)

// Build returns the subtree under the first n bits of prefix, at most 16, and hands its entries to set, but for the nodes
// above depth 16, which are not stored. The leaves are all that lie there; it sorts them.
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
	slots := make([]Subtree, 1<<(topDepth-n))
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
		slot := int(at[0])<<8 | int(at[1])
		slots[slot&(len(slots)-1)], leaves = s, leaves[i:]
	}
	return Fold(slots), nil
}

// Check works out the tree again from its leaves, and returns it. An error wraps ErrDamaged and names the first node that
// differs. Both Readers read the same entries; the nodes are looked up during the scan of the leaves.
func Check(leaves, nodes Reader) (Subtree, error) {
	c := check{r: nodes, slots: make([]Subtree, 1<<topDepth)}
	err := leaves.Scan([]byte{tableLeaf}, []byte{tableLeaf + 1}, func(key, value []byte) error {
		if len(key) != 1+32 || len(value) != 32 {
			return damaged("a leaf of %d and %d bytes", len(key), len(value))
		}
		leaf := Leaf{Path: Hash(key[1:]), Value: Hash(value)}
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
	return Fold(c.slots), nil
}

// check is a Check under way.
type check struct {
	r     Reader // of the nodes
	slot  []Leaf // under one prefix of topDepth bits
	slots []Subtree
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
	c.slots[int(at[0])<<8|int(at[1])], c.slot = s, c.slot[:0]
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
