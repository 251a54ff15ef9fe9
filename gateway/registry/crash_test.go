package registry

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"collimate/xds/metadata"
	"collimate/xds/query"
)

// crashEnv has the address of a registry in which this program, instead of testing, submits until it is killed.
const crashEnv = "COLLIMATE_REGISTRY_CRASH"

func randomID() string {
	var b [16]byte
	rand.Read(b[:])
	return formatID(b[:])
}

// crashSubmission returns a submission of crashObjects.
func crashSubmission(name string) builder {
	b := submission("1.2."+name, patientA)
	b.into(b.folder("1.3."+name), b.entry("1.4."+name))
	return b
}

const crashObjects = 7

// crashChild submits from several goroutines and writes a line for each submission that is acknowledged.
func crashChild() {
	s, err := Open(context.Background(), os.Getenv(crashEnv))
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	var next atomic.Int64
	submit := func() {
		for {
			name := fmt.Sprintf("%d.%d", os.Getpid(), next.Add(1))
			if err := s.Submit(context.Background(), crashSubmission(name).Objects, Submission{Now: time.Now(), NewID: randomID}); err != nil {
				fmt.Println("failed:", err)
				os.Exit(1)
			}
			os.Stdout.WriteString(name + "\n") // in the pipe, whatever happens now
		}
	}
	for range 5 {
		go submit()
	}
	submit()
}

// Killed at any moment, a registry has all that it has acknowledged, and nothing in part.
func TestCrash(t *testing.T) {
	onEach(t, func(t *testing.T, dsn string) {
		seed := uint64(time.Now().UnixNano())
		random := mathrand.New(mathrand.NewPCG(seed, 1))
		openStore(t, dsn).Close()
		acknowledged := 0
		for range 6 {
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), crashEnv+"="+dsn)
			out, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			var names []string
			for kill := 1 + random.IntN(20); lines.Scan(); {
				names = append(names, lines.Text())
				if len(names) == kill {
					time.Sleep(time.Duration(random.IntN(5000)) * time.Microsecond) // into the midst of one
					child.Process.Kill()
				}
			}
			child.Wait()
			if len(names) == 0 || strings.HasPrefix(names[len(names)-1], "failed") {
				t.Fatalf("the child wrote %v", names)
			}
			acknowledged += len(names)

			s := openStore(t, dsn)
			for _, name := range names {
				q := &query.Query{Name: query.GetSubmissionSetAndContents, Return: query.LeafClass, UniqueIDs: []string{"1.2." + name}}
				q.Documents.Types = []metadata.ObjectType{metadata.Stable}
				got, refused, err := s.Query(context.Background(), q, everyone)
				if err != nil || refused != nil || got.Len() != crashObjects {
					t.Fatalf("seed %d: submission %s was acknowledged and is not whole: %+v, %v, %v", seed, name, got, refused, err)
				}
			}
			f := everything(t, s)
			if f.Len() != crashObjects*len(f.SubmissionSets) {
				t.Fatalf("seed %d: %d objects of %d submissions", seed, f.Len(), len(f.SubmissionSets))
			}
			for i := range f.SubmissionSets { // those that no one knows of may be sent again
				name := strings.TrimPrefix(f.SubmissionSets[i].UniqueID, "1.2.")
				if err := s.Submit(context.Background(), crashSubmission(name).Objects, Submission{Now: noon, NewID: randomID}); err != nil {
					t.Fatal(err)
				}
			}
			if again := everything(t, s); again.Len() != f.Len() {
				t.Fatalf("seed %d: %d objects became %d", seed, f.Len(), again.Len())
			}
			s.Close()
		}
		t.Logf("%d submissions acknowledged", acknowledged)
	})
}

// Each commit is synced to the disk, so that a loss of power takes nothing.
func TestSync(t *testing.T) {
	s := openStore(t, sqliteDSN(t))
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "secure_delete": "1"} {
		var got string
		if err := s.writes.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, %v", pragma, got, err)
		}
	}
}
