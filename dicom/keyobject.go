package dicom

import (
	"io"
	"strings"
)

// KeyObject is a Key Object Selection document: a title and the instances it is about. DICOM PS3.3 A.35.4
type KeyObject struct {
	*Header
	Title      Code        // (0040,A043), what the selection means. DICOM PS3.16 CID 7010
	References []Reference // (0040,A375), as they stand
}

// Code is a coded concept without its meaning, which is for people. DICOM PS3.3 8
type Code struct {
	Value  string // (0008,0100)
	Scheme string // (0008,0102), such as DCM
}

// Reference names an instance by all its UIDs.
type Reference struct {
	StudyInstanceUID, SeriesInstanceUID, SOPClassUID, SOPInstanceUID string
}

// ReadKeyObject reads a Part 10 file from its start up to its evidence, (0040,A375). A UID that is none is malformed: who
// goes by a key object must not miss a part of it. The errors are those of ReadHeader.
func ReadKeyObject(r io.Reader) (*KeyObject, error) {
	h, d, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	d.limit = maxKeyObjectBytes
	k := &KeyObject{Header: h}
	if h.Text(SOPClassUID) != KeyObjectSelectionDocument {
		return nil, d.syntax("not a Key Object Selection document")
	}
	seen := Tag(0)
	for {
		switch t, err := d.peekTag(); {
		case err == io.EOF || err == nil && t > CurrentRequestedEvidence:
			return k, k.check(d)
		case err != nil:
			return nil, err
		case t <= seen:
			return nil, d.syntax("%v is not in its place", t) // or twice, and what counts would depend on the reader
		default:
			seen = t
		}
		e, err := d.element()
		if err != nil {
			return nil, err
		}
		switch e.tag {
		case ConceptNameCodeSequence:
			err = d.title(e, &k.Title)
		case CurrentRequestedEvidence:
			err = d.evidence(e, k)
		default:
			err = d.skipValue(e)
		}
		if err != nil {
			return nil, err
		}
	}
}

// check reports what each key object has.
func (k *KeyObject) check(d *decoder) error {
	if k.Title.Value == "" {
		return d.syntax("a key object without a title")
	}
	if len(k.References) == 0 {
		return d.syntax("a key object without references")
	}
	for _, r := range k.References {
		if r.StudyInstanceUID == "" || r.SeriesInstanceUID == "" || r.SOPClassUID == "" || r.SOPInstanceUID == "" {
			return d.syntax("a reference without one of its UIDs")
		}
	}
	return nil
}

// title reads the one item of a code sequence.
func (d *decoder) title(e element, title *Code) error {
	items := 0
	return d.items(e, func(end int64) error {
		if items++; items > 1 {
			return d.syntax("a title of more than one code")
		}
		return d.elements(end, func(e element) (err error) {
			switch e.tag {
			case CodeValue:
				title.Value, err = d.short(e)
			case CodingSchemeDesignator:
				title.Scheme, err = d.short(e)
			default:
				err = d.skipValue(e)
			}
			return err
		})
	})
}

// evidence reads the tree of studies, series and instances, each of which names itself behind what is in it.
// DICOM PS3.3 Table C.17-3a
func (d *decoder) evidence(e element, k *KeyObject) error {
	return d.items(e, func(end int64) error {
		first, study := len(k.References), ""
		err := d.elements(end, func(e element) (err error) {
			switch e.tag {
			case ReferencedSeriesSequence:
				err = d.evidenceOfStudy(e, k)
			case StudyInstanceUID:
				study, err = d.uid(e)
			default:
				err = d.skipValue(e)
			}
			return err
		})
		for i := range k.References[first:] {
			k.References[first+i].StudyInstanceUID = study
		}
		return err
	})
}

func (d *decoder) evidenceOfStudy(e element, k *KeyObject) error {
	return d.items(e, func(end int64) error {
		first, series := len(k.References), ""
		err := d.elements(end, func(e element) (err error) {
			switch e.tag {
			case ReferencedSOPSequence:
				err = d.evidenceOfSeries(e, k)
			case SeriesInstanceUID:
				series, err = d.uid(e)
			default:
				err = d.skipValue(e)
			}
			return err
		})
		for i := range k.References[first:] {
			k.References[first+i].SeriesInstanceUID = series
		}
		return err
	})
}

func (d *decoder) evidenceOfSeries(e element, k *KeyObject) error {
	return d.items(e, func(end int64) error {
		if len(k.References) == MaxInstances {
			return d.syntax("more than %d references", MaxInstances)
		}
		var r Reference
		err := d.elements(end, func(e element) (err error) {
			switch e.tag {
			case ReferencedSOPClassUID:
				r.SOPClassUID, err = d.uid(e)
			case ReferencedSOPInstanceUID:
				r.SOPInstanceUID, err = d.uid(e)
			default:
				err = d.skipValue(e)
			}
			return err
		})
		k.References = append(k.References, r)
		return err
	})
}

// items calls f for each item of a sequence, with the offset at which the item ends, negative if a delimiter ends it.
func (d *decoder) items(e element, f func(end int64) error) error {
	outer := d.layout
	defer func() { d.layout = outer }()
	if e.vr == (vr{'U', 'N'}) { // a sequence that passed through someone who did not know its tag. PS3.5 6.2.2
		d.layout = layoutOf(ImplicitVRLittleEndian)
	} else if !d.implicit && e.vr != (vr{'S', 'Q'}) {
		return d.syntax("%v is no sequence", e.tag)
	}
	end := d.end(e)
	for end < 0 || d.offset < end {
		i, err := d.element()
		switch {
		case err != nil:
			return err
		case i.tag == sequenceDelimitation && end < 0:
			return nil
		case i.tag != item:
			return d.syntax("%v where an item is due", i.tag)
		}
		inner := d.end(i)
		if err := f(inner); err != nil {
			return err
		}
		if inner >= 0 && d.offset != inner {
			return d.syntax("an item of another length than it says")
		}
	}
	if end >= 0 && d.offset != end {
		return d.syntax("%v is of another length than it says", e.tag)
	}
	return nil
}

// elements calls f with the head of each element of an item; f takes the value.
func (d *decoder) elements(end int64, f func(e element) error) error {
	seen := Tag(0)
	for end < 0 || d.offset < end {
		e, err := d.element()
		switch {
		case err != nil:
			return err
		case e.tag == itemDelimitation && end < 0:
			return nil
		case e.tag <= seen || e.tag>>16 == item>>16:
			return d.syntax("%v is not in its place", e.tag)
		}
		seen = e.tag
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

// end returns the offset at which the value of e ends, -1 if a delimiter ends it.
func (d *decoder) end(e element) int64 {
	if e.length == undefinedLength {
		return -1
	}
	return d.offset + int64(e.length)
}

// short reads the value of a code: at most 16 characters of the default repertoire, as SH is.
func (d *decoder) short(e element) (string, error) {
	if e.length > 2*16 {
		return "", d.syntax("%v has %d bytes", e.tag, e.length)
	}
	b := make([]byte, e.length)
	err := d.read(b)
	return strings.Trim(string(b), " \x00"), err
}

// uid reads a UID that is one.
func (d *decoder) uid(e element) (string, error) {
	if e.length > MaxUID+1 { // undefined lengths too
		return "", d.syntax("%v has %d bytes", e.tag, e.length)
	}
	b := make([]byte, e.length)
	if err := d.read(b); err != nil {
		return "", err
	}
	uid := strings.TrimRight(string(b), "\x00 ")
	if CheckUID(uid) != nil {
		return "", d.syntax("%v is no UID", e.tag)
	}
	return uid, nil
}
