package pdi

import (
	"encoding/binary"
	"math"
	"time"
)

// The parts of a ZIP file that are not contents, for entries that are stored and known beforehand. Section
// numbers are those of PKWARE's APPNOTE.TXT 6.3.10.
//
//	local header, content   of each entry                  4.3.7
//	central directory       an entry each                  4.3.12
//	zip64 end, its locator  only if something needs them   4.3.14, 4.3.15
//	end                                                    4.3.16
//
// Unlike archive/zip, this promises the same bytes whatever the Go release, knows them all in advance, and
// gives entries of 4 GiB and more a local header that streaming readers can use.

// Versions needed to extract. 4.4.3
const (
	versionPlain = 20
	versionZIP64 = 45
)

// entry is one file of the archive.
type entry struct {
	name   string // ASCII
	size   uint64
	crc    uint32
	offset uint64 // of its local header
}

// dosTime is a date and time as ZIP has them. 4.4.6
type dosTime struct{ date, time uint16 }

// dosTimeOf converts t, which is before 1980 or after 2107 1980-01-01.
func dosTimeOf(t time.Time) dosTime {
	if t.Year() < 1980 || t.Year() > 2107 {
		t = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return dosTime{
		date: uint16((t.Year()-1980)<<9 | int(t.Month())<<5 | t.Day()),
		time: uint16(t.Hour()<<11 | t.Minute()<<5 | t.Second()/2),
	}
}

var le = binary.LittleEndian

// appendLocal appends the local file header.
func (e entry) appendLocal(b []byte, modified dosTime) []byte {
	large := e.size >= math.MaxUint32
	b = le.AppendUint32(b, 0x04034b50)
	b = e.appendShared(b, large, modified)
	b = le.AppendUint16(b, uint16(len(e.name)))
	if !large {
		b = le.AppendUint16(b, 0)
		return append(b, e.name...)
	}
	b = le.AppendUint16(b, 4+16)
	b = append(b, e.name...)
	return appendZIP64(b, e.size, e.size)
}

// appendCentral appends the entry of the central directory.
func (e entry) appendCentral(b []byte, modified dosTime) []byte {
	large, far := e.size >= math.MaxUint32, e.offset >= math.MaxUint32
	var extra []byte
	switch {
	case large && far:
		extra = appendZIP64(nil, e.size, e.size, e.offset)
	case large:
		extra = appendZIP64(nil, e.size, e.size)
	case far:
		extra = appendZIP64(nil, e.offset)
	}
	b = le.AppendUint32(b, 0x02014b50)
	b = le.AppendUint16(b, versionZIP64) // made by MS-DOS, which means no permissions
	b = e.appendShared(b, large || far, modified)
	b = le.AppendUint16(b, uint16(len(e.name)))
	b = le.AppendUint16(b, uint16(len(extra)))
	b = append(b, make([]byte, 2+2+2+4)...) // no comment, disk 0, no attributes
	b = le.AppendUint32(b, uint32(min(e.offset, math.MaxUint32)))
	b = append(b, e.name...)
	return append(b, extra...)
}

// appendShared appends the fields that both headers have: version needed to sizes.
func (e entry) appendShared(b []byte, zip64 bool, modified dosTime) []byte {
	version := uint16(versionPlain)
	if zip64 {
		version = versionZIP64
	}
	size := uint32(min(e.size, math.MaxUint32))
	b = le.AppendUint16(b, version)
	b = le.AppendUint16(b, 0) // flags: no data descriptor, ASCII names
	b = le.AppendUint16(b, 0) // method: stored
	b = le.AppendUint16(b, modified.time)
	b = le.AppendUint16(b, modified.date)
	b = le.AppendUint32(b, e.crc)
	b = le.AppendUint32(b, size)
	return le.AppendUint32(b, size)
}

// appendZIP64 appends the extra field with the numbers that did not fit. 4.5.3
func appendZIP64(b []byte, numbers ...uint64) []byte {
	b = le.AppendUint16(b, 0x0001)
	b = le.AppendUint16(b, uint16(8*len(numbers)))
	for _, n := range numbers {
		b = le.AppendUint64(b, n)
	}
	return b
}

// appendDirectory appends the central directory of entries and the end of the file.
func appendDirectory(b []byte, entries []entry, modified dosTime) []byte {
	last := entries[len(entries)-1]
	start := last.offset + uint64(len(last.appendLocal(nil, modified))) + last.size
	before := len(b)
	for _, e := range entries {
		b = e.appendCentral(b, modified)
	}
	length, count := uint64(len(b)-before), uint64(len(entries))
	if start >= math.MaxUint32 || length >= math.MaxUint32 || count >= math.MaxUint16 {
		end := start + length
		b = le.AppendUint32(b, 0x06064b50)
		b = le.AppendUint64(b, 44) // bytes to come of this record
		b = le.AppendUint16(b, versionZIP64)
		b = le.AppendUint16(b, versionZIP64)
		b = le.AppendUint64(b, 0) // disks
		b = le.AppendUint64(b, count)
		b = le.AppendUint64(b, count)
		b = le.AppendUint64(b, length)
		b = le.AppendUint64(b, start)
		b = le.AppendUint32(b, 0x07064b50)
		b = le.AppendUint32(b, 0) // disk
		b = le.AppendUint64(b, end)
		b = le.AppendUint32(b, 1) // disks
	}
	b = le.AppendUint32(b, 0x06054b50)
	b = le.AppendUint32(b, 0) // disks
	b = le.AppendUint16(b, uint16(min(count, math.MaxUint16)))
	b = le.AppendUint16(b, uint16(min(count, math.MaxUint16)))
	b = le.AppendUint32(b, uint32(min(length, math.MaxUint32)))
	b = le.AppendUint32(b, uint32(min(start, math.MaxUint32)))
	return le.AppendUint16(b, 0) // no comment
}
