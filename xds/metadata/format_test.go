package metadata

import (
	"strings"
	"testing"
)

func TestFormats(t *testing.T) {
	tests := []struct {
		format  format
		yes, no []string
	}{
		{oid, []string{"1.2.840", "01.2", strings.Repeat("1", 64)}, []string{"", "1.", ".1", "1..2", "1.a", strings.Repeat("1", 65)}},
		{cx, []string{"P^^^&1.2&ISO", "a b'c^^^&1.2&ISO"}, []string{"P", "^^^&1.2&ISO", "P^^^NS&1.2&ISO", "P^^^&1.2&ISO^PI", "P^x^^&1.2&ISO", "P^^^&1.x&ISO", "P^^^1.2", "P^^^&1.2&DNS"}},
		{cxi, []string{"A^^^&1.2&ISO^t", "A^^^NS&1.2&ISO^t", "A^^^NS^t", "1.2^^^^t", "A^^^&1.2&ISO^t^&1.2&ISO"}, []string{"A^^^&1.2&ISO", "^^^^t", "A^x^^^t", "A^^^&x&ISO^t", "A^^^^t^^x"}},
		{dtm, []string{"2024", "202402", "20240229", "2024022923", "202402292359", "20240229235959"},
			[]string{"", "24", "20241", "202413", "20230229", "2024022924", "202402290060", "20240229000060", "202402290000000", "2024-02", "20240229+0100"}},
		{xcn, []string{"1^^^^^^^^&1.2&ISO", "^Family", "Name", "1^F^G^^^^^^NS&1.2&ISO"}, []string{"^", "^^Given", "^F^^^^^^^&1.2&ISO", "1^F^G^^^^^^NS"}},
		{xon, []string{"Name", "Name^^^^^&1.2&ISO^^^^3", "Name^^^^^^^^^1.2.3"}, []string{"^", "^^^^^^^^^3", "Name^L", "Name^^^^^NS^^^^3", "Name^^^^^^^^^3^4"}},
		{xtn, []string{"+1", "^^Internet^a@b", "^PRN^PH^^^555^1234"}, []string{"^^", "^"}},
		{recipient, []string{"Org", "|^Curie", "||^^Internet^a@b", "Org|1^C|+1"}, []string{"|", "||", "Org||+1|x", "^"}},
		{pid, []string{"PID-3|a", "PID-5|", "PID-39|x"}, []string{"PID-2|a", "PID-4|a", "PID-12|a", "PID-19|a", "PID-40|a", "PID-|a", "PID-3", "PID-03|a", "X-3|a"}},
		{sha1Hex, []string{sampleHash, strings.ToUpper(sampleHash)}, []string{sampleHash[1:], sampleHash + "0", "g" + sampleHash[1:]}},
		{count, []string{"0", "36", strings.Repeat("9", 18)}, []string{"-1", "1.5", strings.Repeat("9", 19)}},
		{language, []string{"en", "en-us", "de-CH-1996", "x-a1"}, []string{"", "e n", "en-", "1en", "en_US", "abcdefghi"}},
		{uri, []string{"a.txt", "http://h/x?y=1"}, []string{"a b", "<a>", "a\x7f"}},
		{entryUniqueID, []string{"1.2", "1.2^x", "1.2^" + strings.Repeat("x", 16), "urn:uuid:1"}, []string{"Document01", "1.2^", "1.2^" + strings.Repeat("x", 17), "urn:", "1.2^a b", "urn:" + strings.Repeat("x", 125)}},
		{format{"id", IsUUID}, []string{registered}, []string{strings.ToUpper(registered), registered[9:], registered + "0", strings.Replace(registered, "-", "0", 1), "urn:uuid:x1111111-2222-4333-8444-555555555555"}},
		{format{"home", isHomeCommunityID}, []string{"urn:oid:1.2"}, []string{"1.2", "urn:oid:", "urn:oid:x"}},
		{format{"mimeType", isMimeType}, []string{"a/b", "application/fhir+json"}, []string{"a", "a/", "/b", "a/b;c", "a/b c", "a/b/c"}},
	}
	for _, test := range tests {
		for _, s := range test.yes {
			if !test.format.ok(s) {
				t.Errorf("%q is not %s", s, test.format.name)
			}
		}
		for _, s := range test.no {
			if test.format.ok(s) {
				t.Errorf("%q is %s", s, test.format.name)
			}
		}
	}
}

func TestPadDTM(t *testing.T) {
	for in, want := range map[string]string{"2004": "20040101000000", "200412": "20041201000000", "2004122423": "20041224230000", "20041224235958": "20041224235958"} {
		if got := PadDTM(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
