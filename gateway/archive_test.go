package gateway_test

import (
	"context"
	"errors"
	"io"
	"sync"

	"collimate/pacs"
)

// flaky is an archive whose instances can be made to break off.
type flaky struct {
	pacs.Archive
	mu       sync.Mutex
	breakAt  int // the instance, counted from 1, that breaks off; 0 for none
	opened   int
	touched  int // opened or listed
	onOpened func(n int)
	relist   func(*pacs.Study) // changes what is listed; nil for nothing
}

func (f *flaky) Study(ctx context.Context, uid string) (*pacs.Study, error) {
	f.mu.Lock()
	f.touched++
	f.mu.Unlock()
	study, err := f.Archive.Study(ctx, uid)
	if err == nil && f.relist != nil {
		f.relist(study)
	}
	return study, err
}

func (f *flaky) Open(ctx context.Context, i pacs.Instance) (io.ReadCloser, error) {
	f.mu.Lock()
	f.opened++
	f.touched++
	n, broken, hook := f.opened, f.opened == f.breakAt, f.onOpened
	f.mu.Unlock()
	if hook != nil {
		hook(n)
	}
	r, err := f.Archive.Open(ctx, i)
	if err != nil || !broken {
		return r, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(r, i.Size/2), brokenReader{}), r}, nil
}

// fast is a flaky archive in front of one that gives instances in the order that suits it.
type fast struct {
	*flaky
	pacs.Batcher
}

func (f fast) Study(ctx context.Context, uid string) (*pacs.Study, error) {
	return f.flaky.Study(ctx, uid)
}

func (f fast) Open(ctx context.Context, i pacs.Instance) (io.ReadCloser, error) {
	return f.flaky.Open(ctx, i)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }
