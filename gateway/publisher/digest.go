package publisher

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"collimate/gateway/catalog"
	"collimate/pacs"
)

// digest is a SHA-256.
type digest = [sha256.Size]byte

// writer hashes fields, each with its length.
type writer struct{ hash.Hash }

func (w writer) text(fields ...string) {
	for _, f := range fields {
		w.number(uint64(len(f)))
		w.Write([]byte(f))
	}
}

func (w writer) number(n uint64) { w.Write(binary.BigEndian.AppendUint64(nil, n)) }

func (w writer) study(s *pacs.Study) {
	w.text(s.InstanceUID, s.PatientName, s.PatientID, s.IssuerOfPID, s.BirthDate, s.Sex, s.Date, s.Time, s.ID,
		s.AccessionNumber, s.Description, s.Referring)
}

// printOf digests what a listing says of a study.
func printOf(s *pacs.Summary) digest {
	w := writer{sha256.New()}
	w.study(&s.Study)
	w.number(uint64(s.Instances))
	return digest(w.Sum(nil))
}

// contentOf digests what a study consists of.
func contentOf(s *pacs.Study) digest {
	w := writer{sha256.New()}
	w.study(s)
	for _, series := range s.Series {
		w.text(series.InstanceUID, series.Modality, series.Number, series.Description)
		for _, i := range series.Instances {
			w.text(i.SOPClassUID, i.SOPInstanceUID, i.TransferSyntaxUID, i.Number)
			w.number(uint64(i.Size))
			w.number(uint64(i.CRC32))
		}
	}
	return digest(w.Sum(nil))
}

// keyed makes a digest that cannot be guessed at without the salt of the study.
func keyed(study catalog.Study, what string, of []byte) digest {
	h := hmac.New(sha256.New, study.Salt[:])
	h.Write([]byte(what))
	h.Write(of)
	return digest(h.Sum(nil))
}

func listed(study catalog.Study, p digest) digest { return keyed(study, "listed", p[:]) }

func content(study catalog.Study, p digest) digest { return keyed(study, "content", p[:]) }

// patient returns the digests of whose the study is: zero for what is not said.
func patient(study catalog.Study, s *pacs.Study) (id, issuer digest) {
	if s.PatientID != "" {
		id = keyed(study, "patient", []byte(s.PatientID))
	}
	if s.PatientID != "" && s.IssuerOfPID != "" {
		issuer = keyed(study, "issuer", []byte(s.IssuerOfPID))
	}
	return id, issuer
}

// anothers reports whether the study is listed as of another patient than was remembered. Who had no id and gets one,
// and an issuer that is said for the first time, are no contradiction.
func anothers(study catalog.Study, w catalog.Watched, s *pacs.Study) bool {
	id, issuer := patient(study, s)
	differ := func(a, b digest) bool { return a != b && a != digest{} && b != digest{} }
	return differ(id, w.Patient) || differ(issuer, w.Issuer)
}

// remember takes over whose the study is; what is not said now stays as it was.
func remember(study catalog.Study, w *catalog.Watched, s *pacs.Study) {
	id, issuer := patient(study, s)
	if id != (digest{}) && id != w.Patient {
		w.Patient, w.Issuer = id, issuer
	} else if issuer != (digest{}) {
		w.Issuer = issuer
	}
}
