package dicom

import (
	"testing"
	"unicode/utf8"
)

// The first block is the examples of DICOM PS3.5 Annexes H, I, J and K.
func TestDecode(t *testing.T) {
	for _, tt := range []struct{ name, charset, raw, want string }{
		{"H.3-1", `\ISO 2022 IR 87`,
			"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
			"Yamada^Tarou=山田^太郎=やまだ^たろう"},
		{"H.3-2", `ISO 2022 IR 13\ISO 2022 IR 87`,
			"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
			"ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"},
		{"I.2-1", `\ISO 2022 IR 149`,
			"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
			"Hong^Gildong=洪^吉洞=홍^길동"},
		{"J.1", "ISO_IR 192", "Wang^XiaoDong=王^小東=", "Wang^XiaoDong=王^小東="},
		{"J.3", "GB18030", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东="},
		{"J.4", "GBK", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东="},
		{"K.2", `\ISO 2022 IR 58`, "Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=", "Zhang^XiaoDong=张^小东="},

		{"ascii", "", "Doe^Jane", "Doe^Jane"},
		{"ascii with a high byte", "", "M\xfcller", "M\ufffdller"},
		{"unknown term", "ISO_IR 999", "M\xfcller", "M\ufffdller"},
		{"latin 1", "ISO_IR 100", "M\xfcller", "Müller"},
		{"latin 1, padded term", "ISO_IR 100 ", "M\xfcller", "Müller"},
		{"latin 2", "ISO_IR 101", "Dvo\xf8\xe1k", "Dvořák"},
		{"latin 3", "ISO_IR 109", "\xa1", "Ħ"},
		{"latin 4", "ISO_IR 110", "\xb6", "ļ"},
		{"latin 5", "ISO_IR 148", "\xdd\xfe", "İş"},
		{"latin 9", "ISO_IR 203", "\xa4", "€"},
		{"cyrillic", "ISO_IR 144", "\xb8\xd2\xd0\xdd\xde\xd2", "Иванов"},
		{"arabic", "ISO_IR 127", "\xe2\xc8\xc7\xe6\xea", "قباني"},
		{"greek", "ISO_IR 126", "\xc4\xe9\xef", "Διο"},
		{"hebrew", "ISO_IR 138", "\xf9\xf8\xe5\xef", "שרון"},
		{"thai", "ISO_IR 166", "\xb9\xd2\xc2", "นาย"},
		{"latin 1 then cyrillic", `ISO 2022 IR 100\ISO 2022 IR 144`, "\xfc\x1b-L\xb8=\xfc", "üИ=ü"},
		{"JIS X 0212", `\ISO 2022 IR 159`, "\x1b$(D\x22\x2f\x1b(B", "˘"},
		{"half a character", `\ISO 2022 IR 149`, "\x1b$)C\xfb", "\ufffd"},
		{"unknown escape", `\ISO 2022 IR 87`, "a\x1b$Zb", "a\x1b$Zb"},
		{"bad UTF-8", "ISO_IR 192", "a\xffb", "a\ufffdb"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := charsetOf(tt.charset).decode([]byte(tt.raw), true); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestDecodeReset: code elements last to the end of a component in a name, to the end of the value elsewhere.
func TestDecodeReset(t *testing.T) {
	c, raw := charsetOf(`\ISO 2022 IR 149`), []byte("\x1b$)C\xc8\xab^\xc8\xab")
	if got, want := c.decode(raw, true), "홍^\ufffd\ufffd"; got != want {
		t.Errorf("name: got %q, want %q", got, want)
	}
	if got, want := c.decode(raw, false), "홍^홍"; got != want {
		t.Errorf("text: got %q, want %q", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`\ISO 2022 IR 87`, []byte("Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"))
	f.Add("GB18030", []byte("\xcd\xf5^\x81\x30\x81\x30"))
	f.Add("ISO_IR 13", []byte("\xd4\\\x1b$(D\xff"))
	f.Fuzz(func(t *testing.T, term string, raw []byte) {
		for _, name := range []bool{true, false} {
			got := charsetOf(term).decode(raw, name)
			if !utf8.ValidString(got) {
				t.Errorf("not UTF-8: %q", got)
			}
			if len(got) > 3*len(raw)+3 {
				t.Errorf("%d bytes became %d", len(raw), len(got))
			}
		}
		if got := charsetOf("ISO_IR 192").decode(raw, true); utf8.Valid(raw) && got != string(raw) {
			t.Errorf("UTF-8 %q became %q", raw, got)
		}
	})
}
