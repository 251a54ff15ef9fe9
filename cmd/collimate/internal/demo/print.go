package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// printer writes what happens, for a person who reads along. What a step says is held back until it is done, so
// that the time it took can stand in its first line.
type printer struct {
	w        io.Writer
	progress func(string)

	mu     sync.Mutex // guards w while serving, when several goroutines write
	said   []string
	byHand []string
}

// width is where the times stand.
const width = 78

func (p *printer) intro(d *demo) {
	fmt.Fprintf(p.w, "Collimate: a study travels from one hospital to another, as the patient permits.\n")
	fmt.Fprintf(p.w, "Everything is in %s\n", d.Dir)
	when := ""
	if d.Once {
		when = ", while the servers run: leave out --once"
	}
	fmt.Fprintf(p.w, "The lines 'by hand' work in a shell after this one%s\n  cd %s; collimate() { %s \"$@\"; }\n", when, shell(d.Dir), shell(d.Collimate))
}

// say adds a line to the present step.
func (p *printer) say(format string, args ...any) {
	p.said = append(p.said, fmt.Sprintf(format, args...))
}

// hand adds command lines that do by hand what the present step did.
func (p *printer) hand(lines ...string) { p.byHand = append(p.byHand, lines...) }

// step runs one step and prints it.
func (p *printer) step(ctx context.Context, n int, title string, do func(context.Context) error) error {
	p.show(fmt.Sprintf("%d  %s ...", n, title))
	start := time.Now()
	err := do(ctx)
	took := time.Since(start)
	p.show("")
	outcome := seconds(took)
	if err != nil {
		outcome = "failed"
	}
	fmt.Fprintf(p.w, "\n%d  %-*s %s\n", n, width, title, outcome)
	for _, line := range p.said {
		fmt.Fprintf(p.w, "   %s\n", line)
	}
	if len(p.byHand) > 0 && err == nil {
		fmt.Fprintf(p.w, "   by hand:\n")
		for _, line := range p.byHand {
			fmt.Fprintf(p.w, "     %s\n", line)
		}
	}
	p.said, p.byHand = nil, nil
	return err
}

func (p *printer) show(line string) {
	if p.progress != nil {
		p.progress(line)
	}
}

func (p *printer) done(took time.Duration) {
	fmt.Fprintf(p.w, "\nEverything was as it must be, in %s.\n", seconds(took))
}

func (p *printer) serving(file string) {
	fmt.Fprintf(p.w, "\nServing on. Other programs find everything in %s\nCtrl-C ends it.\n", file)
}

func (p *printer) stopping() {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.w, "\nStopping.")
}

// ended tells that a server has ended while the demo serves on.
func (p *printer) ended(c *child, command []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "\n%s\n   start it again: %s\n", c.failure(), strings.Join(command, " "))
}

func seconds(d time.Duration) string {
	if d < 100*time.Millisecond {
		return fmt.Sprintf("%d ms", max(1, d.Milliseconds()))
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func bytesText(n int64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
