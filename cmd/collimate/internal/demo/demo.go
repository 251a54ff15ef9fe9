// Package demo shows a patient's study travel from one hospital to another under the patient's permission, on
// one machine and with every real part in place.
//
// Each organisation is a process of its own, 'collimate serve', with its own keys, data and ports; killing one
// is like pulling its plug. The demo drives them as people would, by the same code as the subcommands do, and
// is strict: whatever is not as it must be ends it with the reason.
//
//	north ── publishes a study; its claim ticket goes to the patient
//	patient ── claims it, lets south in
//	south ── its unmodified XDS consumer asks its gateway, which signs and asks north
//	patient ── revokes; the same request is refused
//
// The servers live as long as the demo, also if that is killed: each reads a pipe that only the demo holds open.
package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"collimate/cmd/collimate/internal/org"
)

// Options of a demo.
type Options struct {
	Dir       string // data folder, empty or not there; a temporary one if ""
	Nodes     int    // organisations, MinNodes to MaxNodes
	BasePort  int    // first port; 0 finds free ones
	DICOM     string // folder with DICOM files; a phantom is made if ""
	Slices    int    // of the phantom, in all
	Once      bool   // end after the revocation instead of serving on
	Collimate string // the program that runs an organisation
	Stdout    io.Writer
	Progress  func(line string) // shows a passing line, "" clears it
}

// The bounds of Options.Nodes: with four validators one may fail; with more than sixteen processes a laptop
// does nothing else.
const (
	MinNodes = 4
	MaxNodes = 16
)

// The phantom: two series, each of half of the slices.
const (
	phantomSeries = 2
	// DefaultSlices is the number of the phantom's slices: 34 MB.
	DefaultSlices = 64
	// MaxSlices keeps the phantom under 5 GB.
	MaxSlices = 8192
)

// names are the organisations, in order.
func names() []string {
	return []string{"north", "south", "east", "west", "northeast", "southeast", "southwest", "northwest",
		"harbour", "hillside", "lakeside", "meadow", "riverside", "seaside", "valley", "woodside"}
}

// Demo is a running demo.
type demo struct {
	Options
	out      *printer
	file     *File
	children []*child
	ports    int // the first

	source, grantee *Organisation // north and south
	study           *Study
	request         *request
}

// Check checks the numbers.
func (o Options) Check() error {
	ports := o.Nodes * org.Ports
	switch {
	case o.Nodes < MinNodes || o.Nodes > MaxNodes:
		return fmt.Errorf("--nodes %d: want %d to %d", o.Nodes, MinNodes, MaxNodes)
	case o.Slices < phantomSeries || o.Slices > MaxSlices:
		return fmt.Errorf("--slices %d: want %d to %d", o.Slices, phantomSeries, MaxSlices)
	case o.BasePort != 0 && (o.BasePort < 1024 || o.BasePort+ports > 65536):
		return fmt.Errorf("--base-port %d: want one from 1024 to %d, for the %d ports from it on", o.BasePort, 65536-ports, ports)
	}
	return nil
}

// Run runs a demo with options that pass Check. It returns nil when everything was as it must be and, without Once, ctx
// is done.
func Run(ctx context.Context, o Options) (err error) {
	if err := checkFolder(o.DICOM); err != nil {
		return err
	}
	d := &demo{Options: o, out: &printer{w: o.Stdout, progress: o.Progress}}
	if d.ports, err = findPorts(ctx, o.BasePort, o.Nodes); err != nil {
		return err
	}
	temporary := o.Dir == ""
	if d.Dir, err = directory(o.Dir); err != nil {
		return err
	}
	defer func() {
		d.stop()
		if temporary && err == nil {
			err = os.RemoveAll(d.Dir)
		} else if err != nil {
			err = fmt.Errorf("%w\nkept for a look: %s", err, d.Dir)
		}
	}()
	return d.run(ctx)
}

// run runs the steps.
func (d *demo) run(ctx context.Context) error {
	id := make([]byte, 4)
	rand.Read(id) // never fails: crypto/rand
	d.file = &File{
		Started: time.Now().UTC(), Directory: d.Dir, Collimate: d.Collimate, PID: os.Getpid(),
		ChainID: "collimate-demo-" + hex.EncodeToString(id),
	}
	d.out.intro(d)
	started := time.Now()
	steps := []struct {
		title string
		do    func(context.Context) error
	}{
		{fmt.Sprintf("%d organisations start, each with its own keys, data and ports", d.Nodes), d.startAll},
		{"north publishes an imaging study", d.publish},
		{"The patient claims the study and lets south in", d.claimAndAllow},
		{"An unmodified XDS consumer at south retrieves it (ITI-43)", d.retrieve},
		{"What arrived is compared with what the archive holds", d.compare},
		{"The patient revokes; the same request is refused", d.revoke},
	}
	for i, s := range steps {
		if err := d.out.step(ctx, i+1, s.title, s.do); err != nil {
			return fmt.Errorf("step %d, %q: %w", i+1, s.title, err)
		}
	}
	if d.Once {
		d.out.done(time.Since(started))
		return d.file.write()
	}
	if err := d.out.step(ctx, len(steps)+1, "South is let in again, so that you can try it yourself", d.prepare); err != nil {
		return fmt.Errorf("preparing to serve on: %w", err)
	}
	if err := d.file.write(); err != nil {
		return err
	}
	d.out.serving(filepath.Join(d.Dir, FileName))
	d.watch(ctx)
	return nil
}

// watch tells of servers that end, until ctx is done. That one is killed is not the demo's failure: whoever did
// it wants to see what happens.
func (d *demo) watch(ctx context.Context) {
	var all sync.WaitGroup
	for i, c := range d.children {
		all.Go(func() {
			select {
			case <-ctx.Done():
			case <-c.done:
				d.out.ended(c, d.file.Organisations[i].Command)
			}
		})
	}
	<-ctx.Done()
	all.Wait()
	d.out.stopping()
}

// stop ends all servers at the same time and waits for them.
func (d *demo) stop() {
	var all sync.WaitGroup
	for _, c := range d.children {
		all.Go(c.stop)
	}
	all.Wait()
}

// path is a path below the demo's directory.
func (d *demo) path(elem ...string) string {
	return filepath.Join(append([]string{d.Dir}, elem...)...)
}

// directory returns the data folder, absolute, made, empty and writable.
func directory(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "collimate-demo-")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", fmt.Errorf("--dir: %w", err)
		}
	case err != nil:
		return "", fmt.Errorf("--dir: %w", err)
	case len(entries) > 0:
		return "", fmt.Errorf("--dir: %s is not empty: choose another folder, or remove what an earlier demo left there", dir)
	}
	probe, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return "", fmt.Errorf("--dir: %s cannot be written to: %w", dir, err)
	}
	return dir, errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// checkFolder looks at --dicom before anything is started.
func checkFolder(dir string) error {
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("--dicom: %w", err)
	}
	if len(entries) == 0 {
		return fmt.Errorf("--dicom: %s is empty", dir)
	}
	return nil
}
