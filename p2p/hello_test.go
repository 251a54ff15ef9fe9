package p2p

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func testHello() hello {
	m := hello{session: 7, chain: "c"}
	for i := range m.genesis {
		m.genesis[i] = byte(i)
	}
	m.boot[0] = 0xb0
	return m
}

// frozenHello is the wire form of testHello. A change of it is another protocol, not another vector.
const frozenHello = "\x01" +
	"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f" +
	"\xb0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x07" +
	"\x00\x01c"

func TestHelloEncoding(t *testing.T) {
	if got := string(testHello().append(nil)); got != frozenHello {
		t.Errorf("got %x, want %x", got, frozenHello)
	}
	got, err := readHello(iotest.OneByteReader(strings.NewReader(frozenHello)))
	if err != nil || got != testHello() {
		t.Errorf("got %+v, %v, want %+v", got, err, testHello())
	}
}

func TestParseHello(t *testing.T) {
	long := testHello()
	long.chain = strings.Repeat("x", maxChainID)
	longer := testHello()
	longer.chain = strings.Repeat("x", maxChainID+1)
	none := testHello()
	none.chain = ""
	guest := testHello()
	guest.guest = true
	for _, test := range []struct {
		name string
		in   []byte
		ok   bool
	}{
		{"longest chain id", long.append(nil), true},
		{"chain id too long", longer.append(nil), false},
		{"no chain id", none.append(nil), false},
		{"empty", nil, false},
		{"one short", []byte(frozenHello[:len(frozenHello)-1]), false},
		{"one more", []byte(frozenHello + "x"), false},
		{"guest", guest.append(nil), true},
		{"another role", []byte(frozenHello[:57] + "\x02" + frozenHello[58:]), false},
		{"another version", []byte("\x02" + frozenHello[1:]), false},
	} {
		if _, err := readHello(bytes.NewReader(test.in)); (err == nil) != test.ok {
			t.Errorf("%s: got %v, want ok %t", test.name, err, test.ok)
		} else if err != nil && !errors.Is(err, errHello) {
			t.Errorf("%s: got %v, want errHello", test.name, err)
		}
	}
	if _, err := readHello(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a broken stream: got %v", err)
	}
}

func TestCheckHello(t *testing.T) {
	ours := testHello()
	for _, test := range []struct {
		name    string
		change  func(*hello)
		ok      bool
		foreign bool
	}{
		{"same chain", func(m *hello) {}, true, false},
		{"chain id", func(m *hello) { m.chain = "d" }, false, true},
		{"genesis", func(m *hello) { m.genesis[31]++ }, false, true},
		{"ourselves", func(m *hello) { m.boot = ours.boot }, false, false},
	} {
		theirs := testHello()
		theirs.boot[0]++
		test.change(&theirs)
		err := ours.check(theirs)
		if (err == nil) != test.ok || errors.Is(err, ErrForeignChain) != test.foreign {
			t.Errorf("%s: got %v, want ok %t, foreign %t", test.name, err, test.ok, test.foreign)
		}
	}
}

func FuzzHello(f *testing.F) {
	f.Add([]byte(frozenHello))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseHello(b)
		if err != nil {
			return
		}
		if got := m.append(nil); !bytes.Equal(got, b) {
			t.Errorf("decoded and encoded: got %x, want %x", got, b)
		}
	})
}
