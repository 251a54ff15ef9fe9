package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"collimate/dicom/phantom"
	"collimate/pacs"
)

// whole is a fake that gives series in one answer, which can be made to differ.
type whole struct {
	*fake
	asked  int
	closed int
	answer func(instances []pacs.Instance, bodies [][]byte) ([]io.Reader, error) // and how it ends
}

func (w *whole) FetchSeries(ctx context.Context, study, series string) (Parts, error) {
	w.asked++
	s, err := w.held.Study(ctx, study)
	if err != nil {
		return nil, err
	}
	for _, held := range s.Series {
		if held.InstanceUID != series {
			continue
		}
		bodies := make([][]byte, len(held.Instances))
		for n, i := range held.Instances {
			r, err := w.held.Open(ctx, i)
			if err != nil {
				return nil, err
			}
			if bodies[n], err = io.ReadAll(r); err != nil {
				return nil, err
			}
			r.Close()
		}
		readers, end := w.answer(held.Instances, bodies)
		return &wholeParts{w, readers, end}, nil
	}
	return nil, pacs.ErrNotFound
}

type wholeParts struct {
	whole *whole
	left  []io.Reader
	end   error
}

func (p *wholeParts) Next() (io.Reader, error) {
	if len(p.left) == 0 {
		return nil, p.end
	}
	next := p.left[0]
	p.left = p.left[1:]
	return next, nil
}

func (p *wholeParts) Close() error {
	p.whole.closed++
	return nil
}

// Whatever a series comes as, each instance is given exactly once, in its bytes: a bad answer costs time and nothing else.
func TestBatch(t *testing.T) {
	from := t.TempDir()
	info, err := phantom.Generate(from, phantom.Options{Series: 2, Slices: minBatch + 2, Rows: 256, Columns: 256})
	if err != nil {
		t.Fatal(err)
	}
	far := holds(t, from)
	all := func(bodies [][]byte) []io.Reader {
		var r []io.Reader
		for _, b := range bodies {
			r = append(r, bytes.NewReader(b))
		}
		return r
	}
	broken := errors.New("the network is gone")
	const alone = minBatch + 2 // instances of a series
	tests := []struct {
		name    string
		answer  func([]pacs.Instance, [][]byte) ([]io.Reader, error)
		fetches int // by themselves, of two series
	}{
		{"as listed", func(_ []pacs.Instance, b [][]byte) ([]io.Reader, error) { return all(b), io.EOF }, 0},
		{"the other way round", func(_ []pacs.Instance, b [][]byte) ([]io.Reader, error) {
			b = slices.Clone(b)
			slices.Reverse(b)
			return all(b), io.EOF
		}, 0},
		{"byte by byte", func(_ []pacs.Instance, b [][]byte) ([]io.Reader, error) {
			r := all(b)
			r[1] = iotest.OneByteReader(r[1])
			return r, io.EOF
		}, 0},
		{"nothing", func(_ []pacs.Instance, b [][]byte) ([]io.Reader, error) { return nil, io.EOF }, 2 * alone},
		{"short, as if it were whole", func(_ []pacs.Instance, b [][]byte) ([]io.Reader, error) { return all(b[3:]), io.EOF }, 2 * 3},
		{"broken off between two", func(_ []pacs.Instance, b [][]byte) ([]io.Reader, error) { return all(b[:4]), broken }, 2 * (alone - 4)},
		{"one twice", func(_ []pacs.Instance, b [][]byte) ([]io.Reader, error) {
			return all(append(b[:2:2], b[1:]...)), io.EOF
		}, 0},
		{"broken off within one", func(_ []pacs.Instance, b [][]byte) ([]io.Reader, error) {
			r := all(b)
			r[2] = io.MultiReader(bytes.NewReader(b[2][:readAhead+1000]), iotest.ErrReader(broken))
			return r, io.EOF
		}, 2 * (alone - 2)},
		{"one that is cut, as if it were whole", func(_ []pacs.Instance, b [][]byte) ([]io.Reader, error) {
			r := all(b)
			r[2] = bytes.NewReader(b[2][:len(b[2])-1])
			return r, io.EOF
		}, 2 * (alone - 2)},
		{"one that goes on", func(_ []pacs.Instance, b [][]byte) ([]io.Reader, error) {
			r := all(b)
			r[2] = io.MultiReader(r[2], bytes.NewReader([]byte{0}))
			return r, io.EOF
		}, 2 * (alone - 2)},
		{"one whose last byte is another", func(_ []pacs.Instance, b [][]byte) ([]io.Reader, error) {
			r, other := all(b), bytes.Clone(b[2])
			other[len(other)-1]++
			r[2] = bytes.NewReader(other)
			return r, io.EOF
		}, 2 * (alone - 2)},
		{"no DICOM", func(_ []pacs.Instance, b [][]byte) ([]io.Reader, error) {
			return []io.Reader{bytes.NewReader(make([]byte, 1000))}, io.EOF
		}, 2 * alone},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := &whole{fake: far, answer: test.answer}
			a := open(t, p, t.TempDir())
			s, err := a.Study(t.Context(), info.StudyInstanceUID)
			if err != nil {
				t.Fatal(err)
			}
			var wanted []pacs.Instance
			for k := range s.Series[0].Instances { // the two series by turns
				wanted = append(wanted, s.Series[0].Instances[k], s.Series[1].Instances[k])
			}
			p.fetches = 0
			if got := give(t, a, wanted); !slices.Equal(got, everyOne(len(wanted))) {
				t.Errorf("given %v", got)
			}
			if p.asked != 2 || p.closed != 2 || p.fetches != test.fetches {
				t.Errorf("%d series asked for and %d closed, %d instances by themselves, want %d", p.asked, p.closed, p.fetches, test.fetches)
			}
		})
	}

	p := &whole{fake: far, answer: tests[0].answer}
	a := open(t, p, t.TempDir())
	s, err := a.Study(t.Context(), info.StudyInstanceUID)
	if err != nil {
		t.Fatal(err)
	}
	p.fetches = 0
	if got := give(t, a, s.Series[0].Instances[:minBatch-1]); len(got) != minBatch-1 || p.asked > 0 {
		t.Errorf("a few: %v, %d series asked for", got, p.asked)
	}
	twice := slices.Concat(s.Series[0].Instances, s.Series[0].Instances[:1])
	p.fetches = 0
	if got := give(t, a, twice); !slices.Equal(got, everyOne(len(twice))) || p.fetches != 1 {
		t.Errorf("one twice: %v, %d by themselves", got, p.fetches)
	}
}

// An instance whose first bytes are not those that are stored cannot be gone on with.
func TestBatchOtherBytes(t *testing.T) {
	from := t.TempDir()
	info, err := phantom.Generate(from, phantom.Options{Series: 1, Slices: minBatch, Rows: 256, Columns: 256})
	if err != nil {
		t.Fatal(err)
	}
	p := &whole{fake: holds(t, from), answer: func(_ []pacs.Instance, b [][]byte) ([]io.Reader, error) {
		other := bytes.Clone(b[0])
		other[len(other)/2]++
		return []io.Reader{bytes.NewReader(other)}, io.EOF
	}}
	a := open(t, p, t.TempDir())
	s, err := a.Study(t.Context(), info.StudyInstanceUID)
	if err != nil {
		t.Fatal(err)
	}
	b := a.Batch(s.Series[0].Instances)
	defer b.Close()
	n, r, err := b.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if !errors.Is(err, errChanged) || int64(len(got)) >= s.Series[0].Instances[n].Size {
		t.Errorf("%d of %d bytes, %v", len(got), s.Series[0].Instances[n].Size, err)
	}
}

// everyOne returns 0 to n-1.
func everyOne(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// give reads a batch to its end, holds each instance against the archive, and returns which came, sorted.
func give(t *testing.T, a *Archive, wanted []pacs.Instance) (given []int) {
	t.Helper()
	held := a.pacs.(*whole).held
	b := a.Batch(wanted)
	defer b.Close()
	for {
		n, r, err := b.Next(t.Context())
		if err == io.EOF {
			slices.Sort(given)
			return given
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("instance %d: %v", n, err)
		}
		r.Close()
		stored, err := held.Open(t.Context(), wanted[n])
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(stored)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("instance %d: %d bytes differ from what is stored, %v", n, len(got), err)
		}
		stored.Close()
		given = append(given, n)
	}
}
