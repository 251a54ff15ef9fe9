package pacs

import (
	"context"
	"io"
)

// Batcher is an Archive that gives many instances at less cost if it may choose the order.
type Batcher interface {
	Archive
	Batch(instances []Instance) Batch
}

// Batch yields instances, each exactly once, in the order that costs least. One goroutine uses it. Whoever has one must
// Close it.
type Batch interface {
	// Next returns the index of the next instance, opened as Archive.Open does. It has to be closed before Next is
	// called again. The error is io.EOF after the last.
	Next(ctx context.Context) (int, io.ReadCloser, error)
	Close() error
}

// NewBatch returns a batch of an archive, in the order of the instances if the archive is no Batcher.
func NewBatch(a Archive, instances []Instance) Batch {
	if b, ok := a.(Batcher); ok {
		return b.Batch(instances)
	}
	return &inOrder{a, instances, 0}
}

type inOrder struct {
	archive   Archive
	instances []Instance
	next      int
}

func (o *inOrder) Next(ctx context.Context) (int, io.ReadCloser, error) {
	if o.next == len(o.instances) {
		return 0, nil, io.EOF
	}
	n := o.next
	o.next++
	r, err := o.archive.Open(ctx, o.instances[n])
	return n, r, err
}

func (o *inOrder) Close() error { return nil }
