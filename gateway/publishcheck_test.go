//go:build unix

package gateway_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"collimate/dicom"
	"collimate/gateway/catalog"
	"collimate/keys"
	"collimate/ledger"
	"collimate/xds"
	"collimate/xds/metadata"
	"collimate/xua"
)

// settle finishes what was begun, as an operator and a watcher do after a crash.
func (p *place) settle(known *acknowledged) {
	p.t.Helper()
	ctx := p.t.Context()
	for uid := range known.erased {
		if err := p.source.Erase(ctx, uid); err != nil && !errors.Is(err, catalog.ErrNotFound) {
			p.t.Fatal(err)
		}
	}
	for calm, end := 0, time.Now().Add(20*time.Second); calm < 3; calm++ {
		if time.Now().After(end) {
			p.t.Fatalf("the watcher does not come to rest: %+v", p.watcher.Status())
		}
		p.must(p.watcher.Look(ctx))
		if p.watcher.Status().Waiting > 0 {
			calm = 0
			time.Sleep(5 * time.Millisecond)
		}
	}
	p.must(p.catalog.Each(func(s catalog.Study) error {
		var err error
		if known.withdrawn[s.StudyInstanceUID] {
			err = p.source.Withdraw(ctx, s.StudyInstanceUID)
		} else if status, looked := p.source.Status(s.StudyInstanceUID); looked != nil {
			err = looked
		} else if status == ledger.Held {
			err = p.source.Hold(ctx, s.StudyInstanceUID, false)
		}
		return err
	}))
}

// check holds all that is on disk against each other, and against what was acknowledged.
func (p *place) check(known *acknowledged) {
	t := p.t
	t.Helper()
	live := uint64(0)
	listed := 0
	for summary, err := range p.files.Studies(t.Context(), time.Time{}) {
		p.must(err)
		listed++
		uid := summary.Study.InstanceUID
		study, err := p.catalog.Study(uid)
		if known.erased[uid] {
			entries, registered := p.registry.Entries(t.Context(), uid)
			if !errors.Is(err, catalog.ErrNotFound) || registered != nil || len(entries) > 0 {
				t.Errorf("%s was erased: in the catalog %v, %d entries, %v", uid, err, len(entries), registered)
			}
			continue
		}
		p.must(err)
		if id, ok := known.names[uid]; ok && id != study.StudyID {
			t.Errorf("%s has another name than was acknowledged", uid)
		}
		status, err := p.source.Status(uid)
		p.must(err)
		if want := map[bool]ledger.Status{true: ledger.Withdrawn}[known.withdrawn[uid]]; status != want {
			t.Errorf("%s is %d on the ledger, want %d", uid, status, want)
		}
		if status == ledger.Live {
			live++
			p.checkEntries(uid, study)
		}
	}
	for name := range known.stored {
		p.checkStored(name)
	}
	p.must(p.chain.View(func(view *ledger.Snapshot) error {
		source, err := view.Source(p.source.ID())
		if err == nil && source.Studies != live {
			t.Errorf("the ledger has %d studies of the source, %d of those in the catalog are live", source.Studies, live)
		}
		return err
	}))
	all, err := p.catalog.Studies()
	p.must(err)
	if want := listed - len(known.erased); len(all) > listed || len(all) < want {
		t.Errorf("the catalog has %d studies, the archive %d of which %d are erased", len(all), listed, len(known.erased))
	}
	p.checkDocuments(known)
}

// checkStored: an instance that was received is held as it came.
func (p *place) checkStored(name string) {
	t := p.t
	t.Helper()
	want, err := os.ReadFile(name)
	p.must(err)
	h, err := dicom.ReadHeader(bytes.NewReader(want))
	p.must(err)
	s, err := p.files.Study(t.Context(), h.Text(dicom.StudyInstanceUID))
	p.must(err)
	for _, i := range s.Series[0].Instances {
		if i.SOPInstanceUID == h.Text(dicom.SOPInstanceUID) && i.CRC32 == crc32.ChecksumIEEE(want) {
			return
		}
	}
	t.Error("an instance that was received is lost")
}

// checkEntries: a live study has one manifest and one ZIP in the registry, and the manifest is what a requester gets.
func (p *place) checkEntries(uid string, study catalog.Study) {
	t := p.t
	t.Helper()
	entries, err := p.registry.Entries(t.Context(), uid)
	p.must(err)
	var stable, onDemand []metadata.DocumentEntry
	for _, e := range entries {
		switch {
		case e.Status != metadata.Approved || e.MimeType == "text/plain":
		case e.Type == metadata.OnDemand:
			onDemand = append(onDemand, e)
		default:
			stable = append(stable, e)
		}
	}
	if len(stable) != 1 || len(onDemand) != 1 {
		t.Errorf("%s has %d manifests and %d ZIPs in the registry, want one each", uid, len(stable), len(onDemand))
		return
	}
	if rand.IntN(5) > 0 {
		return
	}
	ticket, err := p.source.Publish(t.Context(), uid) // which changes nothing
	p.must(err)
	if ticket.StudyID != study.StudyID {
		t.Errorf("%s has another name when it is published again", uid)
	}
	claim, err := ticket.Claim()
	p.must(err)
	p.ticket, p.patient = ticket, party{key: claim}
	south := newParty(t, "south")
	p.allow(south, p.chain.now().Add(time.Hour), false)
	got, err := read(p.source.Retrieve(t.Context(), xua.Caller{Key: keys.Grantee{ID: south.id}, Tier: xua.TierA},
		[]xds.DocumentRequest{{RepositoryUniqueID: ticket.RepositoryUniqueID, DocumentUniqueID: stable[0].UniqueID}}))
	p.must(err)
	body := got.bodies[stable[0].UniqueID]
	if sum := sha1.Sum(body); stable[0].Hash != hex.EncodeToString(sum[:]) || stable[0].Size != strconv.Itoa(len(body)) {
		t.Errorf("%s: the manifest is not what the registry says (%v)", uid, got.codes)
	}
}

// checkDocuments: what was submitted and acknowledged is registered once and kept, and nothing else is kept.
func (p *place) checkDocuments(known *acknowledged) {
	t := p.t
	t.Helper()
	for id, text := range known.provided {
		entry, study, err := p.registry.Entry(t.Context(), id)
		if err != nil && known.erased[studyOfReport(id)] {
			continue
		}
		p.must(err)
		sum := sha1.Sum([]byte(text))
		size, _ := strconv.ParseInt(entry.Size, 10, 64)
		r, err := p.documents.Open(entry.Hash, size)
		p.must(err)
		got, err := io.ReadAll(r)
		p.must(errors.Join(err, r.Close()))
		if entry.Hash != hex.EncodeToString(sum[:]) || string(got) != text || study != studyOfReport(id) {
			t.Errorf("the document %s is not as it was submitted", id)
		}
	}
	if _, others := p.kept(); others != 0 {
		t.Errorf("%d files lie beside the documents", others)
	}
}

// studyOfReport returns the study of a submitted document.
func studyOfReport(id string) string {
	words := strings.Split(id, ".")
	round, _ := strconv.Atoi(words[4])
	n, _ := strconv.Atoi(words[5])
	return uidOf(round, n%studiesARound)
}
