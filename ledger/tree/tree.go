package tree

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
)

// Tree is one version of the tree. Its upper levels are in memory and shared with the versions before and after it;
// the rest is in the entries that its Reader reads, which must be those of the same version.
type Tree struct {
	r   Reader
	top *page
	sum Subtree
}

// page is a node above topDepth with those one step below it.
type page struct {
	pages    [1 << step]*page // of the children, if they are above topDepth; first, so that the garbage collector looks no further
	children fan
	quarters [quarter]Subtree // half a step below, so that a change of a child takes 6 hashes and not 15
}

// quarter is how many children a quarter of a page has, and how many quarters there are.
const quarter = 1 << (step / 2)

// fold works out a quarter from its children.
func (p *page) fold(n int) {
	work := [quarter]Subtree(p.children[n*quarter:])
	p.quarters[n] = Fold(work[:])
}

// sum returns the node itself.
func (p *page) sum() Subtree {
	work := p.quarters
	return Fold(work[:])
}

// fan are the nodes one step below a node.
type fan [1 << step]Subtree

// Load returns the tree whose entries r holds. It reads those at topDepth, at most a million.
func Load(r Reader) (*Tree, error) {
	t := &Tree{r: r, top: new(page)}
	err := nodes(r, Hash{}, 0, topDepth, func(prefix Hash, s Subtree) error {
		p := t.top
		for depth := 0; depth < topDepth-step; depth += step {
			below := &p.pages[nibble(&prefix, depth)]
			if *below == nil {
				*below = new(page)
			}
			p = *below
		}
		p.children[nibble(&prefix, topDepth-step)] = s
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("loading the state tree: %w", err)
	}
	t.sum = t.top.summarise()
	return t, nil
}

// summarise fills in the children of the pages above the lowest.
func (p *page) summarise() Subtree {
	for n, below := range p.pages {
		if below != nil {
			p.children[n] = below.summarise()
		}
	}
	for q := range p.quarters {
		p.fold(q)
	}
	return p.sum()
}

// On returns the same version, read through r.
func (t *Tree) On(r Reader) *Tree { return &Tree{r, t.top, t.sum} }

// Root returns the root hash: 32 zero bytes for an empty tree.
func (t *Tree) Root() Hash { return t.sum.Hash }

// Leaves returns the number of leaves.
func (t *Tree) Leaves() uint64 { return t.sum.Leaves }

// Subtrees returns the subtrees under all prefixes of n bits, at most 16, in their order.
func (t *Tree) Subtrees(n int) []Subtree {
	list := []*page{t.top}
	depth := step
	for ; depth < n; depth += step {
		var below []*page
		for _, p := range list {
			if p == nil {
				p = new(page)
			}
			below = append(below, p.pages[:]...)
		}
		list = below
	}
	var all []Subtree
	width := 1 << (depth - n)
	for _, p := range list {
		if p == nil {
			p = new(page)
		}
		work := p.children
		for i := 0; i < len(work); i += width {
			all = append(all, Fold(work[i:i+width]))
		}
	}
	return all
}

// change is what a write does to a leaf.
type change struct {
	leaf    Leaf
	deleted bool
}

// Update returns the tree after writes, in which a nil value deletes a key and no key occurs twice. It hands the entries that change
// to set, with a nil value for those to be deleted; the tree that it returns is good once they are written and
// it is put On a Reader that sees them. To write what is there changes nothing.
func (t *Tree) Update(writes iter.Seq2[[]byte, []byte], set func(key, value []byte) error) (*Tree, error) {
	var changes []change
	for key, value := range writes {
		c := change{leaf: Leaf{Path: Path(key)}, deleted: value == nil}
		if !c.deleted {
			c.leaf.Value = sha256.Sum256(value)
		}
		changes = append(changes, c)
	}
	if len(changes) == 0 {
		return t, nil
	}
	slices.SortFunc(changes, func(a, b change) int { return byPath(a.leaf, b.leaf) })
	u := update{r: t.r, set: set}
	top, err := u.page(t.top, Hash{}, 0, changes)
	if err != nil {
		return nil, fmt.Errorf("updating the state tree: %w", err)
	}
	return &Tree{t.r, top, top.sum()}, nil
}

// update is an Update under way.
type update struct {
	r   Reader
	set func(key, value []byte) error
	// was and now are the leaves of one bucket before and after; kept to spare the allocation.
	was, now []Leaf
}

// next cuts off the changes that go to the same child of a node as the first of them.
func next(changes []change, depth int) (n int, these, rest []change) {
	n = nibble(&changes[0].leaf.Path, depth)
	i := 1
	for i < len(changes) && nibble(&changes[i].leaf.Path, depth) == n {
		i++
	}
	return n, changes[:i], changes[i:]
}

// page returns the page that takes the place of p, which may be nil.
func (u *update) page(p *page, prefix Hash, depth int, changes []change) (*page, error) {
	fresh := new(page)
	if p != nil {
		*fresh = *p
	}
	var changed [quarter]bool
	for len(changes) > 0 {
		n, these, rest := next(changes, depth)
		changes = rest
		now, err := u.child(fresh, child(prefix, depth, n), depth+step, n, these)
		if err != nil {
			return nil, err
		}
		fresh.children[n], changed[n/quarter] = now, true
	}
	for n, c := range changed {
		if c {
			fresh.fold(n)
		}
	}
	return fresh, nil
}

// child returns what takes the place of a child of a page, which gets the page of it.
func (u *update) child(p *page, prefix Hash, depth, n int, changes []change) (Subtree, error) {
	if depth < topDepth {
		below, err := u.page(p.pages[n], prefix, depth, changes)
		if err != nil {
			return Subtree{}, err
		}
		p.pages[n] = below
		return below.sum(), nil
	}
	was := p.children[n]
	now, err := u.node(prefix, depth, was, changes)
	if err != nil {
		return Subtree{}, err
	}
	return now, u.setNode(prefix, depth, was, now)
}

// setNode writes a node that has changed.
func (u *update) setNode(prefix Hash, depth int, was, now Subtree) error {
	switch {
	case now == was:
		return nil
	case now.Leaves == 0:
		return u.set(nodeKey(prefix, depth), nil)
	}
	return u.set(nodeKey(prefix, depth), encodeNode(now))
}

// node returns what takes the place of a node at topDepth or below it, and writes what is beneath it.
func (u *update) node(prefix Hash, depth int, node Subtree, changes []change) (Subtree, error) {
	if node.Leaves <= bucketLeaves {
		return u.bucket(prefix, depth, node, changes)
	}
	was, err := children(u.r, prefix, depth, node)
	if err != nil {
		return Subtree{}, err
	}
	now := was
	for len(changes) > 0 {
		n, these, rest := next(changes, depth)
		changes = rest
		if now[n], err = u.node(child(prefix, depth, n), depth+step, was[n], these); err != nil {
			return Subtree{}, err
		}
	}
	node = sum(&now)
	bucket := node.Leaves <= bucketLeaves // from now on
	for n, keep := range now {
		if bucket {
			keep = Subtree{}
		}
		if err := u.setNode(child(prefix, depth, n), depth+step, was[n], keep); err != nil {
			return Subtree{}, err
		}
	}
	return node, nil
}

// bucket applies changes to a node without nodes beneath it, and divides it if it comes to have too many leaves.
func (u *update) bucket(prefix Hash, depth int, node Subtree, changes []change) (Subtree, error) {
	u.was, u.now = u.was[:0], u.now[:0]
	if node.Leaves > 0 {
		var err error
		if u.was, err = leaves(u.r, u.was, prefix, depth, node); err != nil {
			return Subtree{}, err
		}
	}
	was := u.was
	for _, c := range changes {
		for len(was) > 0 && byPath(was[0], c.leaf) < 0 {
			u.now, was = append(u.now, was[0]), was[1:]
		}
		var before *Leaf
		if len(was) > 0 && was[0].Path == c.leaf.Path {
			before, was = &was[0], was[1:]
		}
		if !c.deleted {
			u.now = append(u.now, c.leaf)
		}
		var err error
		switch {
		case c.deleted && before != nil:
			err = u.set(leafKey(c.leaf.Path), nil)
		case !c.deleted && (before == nil || before.Value != c.leaf.Value):
			err = u.set(leafKey(c.leaf.Path), c.leaf.Value[:])
		}
		if err != nil {
			return Subtree{}, err
		}
	}
	u.now = append(u.now, was...)
	return build(u.now, prefix, depth, u.set)
}

// build returns the node over leaves that lie below it, and hands the nodes beneath it to set.
func build(leaves []Leaf, prefix Hash, depth int, set func(key, value []byte) error) (Subtree, error) {
	if len(leaves) <= bucketLeaves {
		return under(leaves, depth), nil
	}
	var below fan
	for len(leaves) > 0 {
		n, i := nibble(&leaves[0].Path, depth), 1
		for i < len(leaves) && nibble(&leaves[i].Path, depth) == n {
			i++
		}
		at := child(prefix, depth, n)
		s, err := build(leaves[:i], at, depth+step, set)
		if err != nil {
			return Subtree{}, err
		}
		if err := set(nodeKey(at, depth+step), encodeNode(s)); err != nil {
			return Subtree{}, err
		}
		below[n], leaves = s, leaves[i:]
	}
	return sum(&below), nil
}
