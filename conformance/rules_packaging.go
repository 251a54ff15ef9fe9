package conformance

import (
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// packagingRules judge HTTP, MIME and XOP. ITI TF-2: V.8, V.9.3
var packagingRules = []rule{
	{"HTTP-200", "A RegistryResponse travels with HTTP 200, whatever its status", "SOAP 1.2 part 2: 7.5.2.2", judgeHTTPStatus},
	{"HTTP-LENGTH", "Content-Length is the exact number of bytes, or absent", "RFC 9112 section 6.2", judgeLength},
	{"ENG-01", "The answer is packaged as the request was", "ITI TF-2: V.8.1; toolkit2 Soap.java verifyResponseFormat", judgeSamePackaging},
	{"VAL-SOAP-01", "The Content-Type is exact", "ITI TF-2: V.9.3; toolkit2 SimpleSoapHttpHeaderValidator", judgeContentType},
	{"V.9.3-ROOT", "The root part comes first and its header is exact", "ITI TF-2: V.9.3, 3.43.5.1", judgeRootPart},
	{"V.9.3-START", "The start parameter is the Content-ID of the root part", "RFC 2387 section 3.2; ITI TF-2: V.9.3", judgeStart},
	{"V.9.3-CLOSE", "The closing boundary is there and nothing follows it", "RFC 2046 section 5.1.1", judgeClosing},
	{"VAL-MTOM-01", "Each Document is one xop:Include or base64, and each part is named once", "ITI TF-2: V.8.2; toolkit2 DocumentAttachmentMapper", judgeInclude},
	{"V.8.3-XOP", "No white space stands around xop:Include", "ITI TF-2: V.8.3; XOP section 3.1", judgeIncludeSpace},
}

func judgeHTTPStatus(x *exchange) error {
	if x.status != http.StatusOK {
		return expected("HTTP 200", fmt.Sprint("HTTP ", x.status))
	}
	return nil
}

func judgeLength(x *exchange) error {
	// A body that is shorter than Content-Length has been an error before; net/http hides a longer one.
	if x.length >= 0 && x.length != x.read {
		return expected(fmt.Sprintf("%d bytes, as Content-Length says", x.length), fmt.Sprintf("%d bytes", x.read))
	}
	return nil
}

func judgeSamePackaging(x *exchange) error {
	want, got := "simple SOAP", "simple SOAP"
	if !x.sent.wrap.simple {
		want = "MTOM (multipart/related)"
	}
	if x.multipart() {
		got = "MTOM (multipart/related)"
	}
	if want != got {
		return expected(want, fmt.Sprintf("Content-Type %q", x.header.Get("Content-Type")))
	}
	return nil
}

func judgeContentType(x *exchange) error {
	raw := x.header.Get("Content-Type")
	if _, _, err := mime.ParseMediaType(raw); err != nil || strings.HasSuffix(strings.TrimSpace(raw), ";") {
		return expected("a well-formed Content-Type", fmt.Sprintf("%q", raw))
	}
	if !x.multipart() {
		if x.media != mediaSOAP {
			return expected(mediaSOAP, fmt.Sprintf("%q", raw))
		}
		return judgeCharset(x.params)
	}
	for _, p := range [][2]string{{"type", mediaXOP}, {"start-info", mediaSOAP}} {
		if x.params[p[0]] != p[1] {
			return expected(fmt.Sprintf("%s=%q in the Content-Type", p[0], p[1]), fmt.Sprintf("%q", raw))
		}
	}
	if a, ok := x.params["action"]; ok && a != x.sent.tx.responseAction {
		return expected(fmt.Sprintf("action=%q, or none, in the Content-Type", x.sent.tx.responseAction), fmt.Sprintf("%q", a))
	}
	return nil
}

func judgeCharset(params map[string]string) error {
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "UTF-8") {
		return expected("charset=UTF-8", fmt.Sprintf("%q", charset))
	}
	return nil
}

func judgeRootPart(x *exchange) error {
	if !x.multipart() {
		return nil
	}
	h := x.parts[0].header
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || media != mediaXOP || params["type"] != mediaSOAP {
		return expected(`a first part with Content-Type application/xop+xml; charset=UTF-8; type="application/soap+xml"`, fmt.Sprintf("%q", h.Get("Content-Type")))
	}
	if cte := h.Get("Content-Transfer-Encoding"); !strings.EqualFold(cte, "binary") {
		return expected("Content-Transfer-Encoding: binary in the root part", fmt.Sprintf("%q", cte))
	}
	return judgeCharset(params)
}

func judgeStart(x *exchange) error {
	if !x.multipart() {
		return nil
	}
	id, start := x.parts[0].header.Get("Content-ID"), x.params["start"]
	if len(id) < 3 || id[0] != '<' || id[len(id)-1] != '>' {
		return expected("a Content-ID in angle brackets in the root part", fmt.Sprintf("%q", id))
	}
	if start != id {
		return expected(fmt.Sprintf("start=%q, the Content-ID of the root part, byte for byte", id), fmt.Sprintf("start=%q", start))
	}
	return nil
}

func judgeClosing(x *exchange) error {
	if !x.multipart() {
		return nil
	}
	// That the boundary is there has been seen while reading. RFC 2046 lets a line break follow; anything more is a second message or a mistake.
	if x.after > 2 {
		return expected("nothing after the closing boundary", plural(x.after, "byte"))
	}
	return nil
}

func judgeInclude(x *exchange) error {
	named := map[string]int{}
	for _, d := range x.answer.Documents {
		if !d.Inline {
			named[d.cid]++
		}
	}
	if len(named) > 0 && !x.multipart() {
		return expected("base64 in a simple SOAP answer", "xop:Include")
	}
	for i := 1; i < len(x.parts); i++ {
		h := x.parts[i].header
		id := h.Get("Content-ID")
		if len(id) < 3 || id[0] != '<' || id[len(id)-1] != '>' {
			return expected(fmt.Sprintf("a Content-ID in angle brackets in part %d", i+1), fmt.Sprintf("%q", id))
		}
		if cte := h.Get("Content-Transfer-Encoding"); !strings.EqualFold(cte, "binary") {
			return expected(fmt.Sprintf("Content-Transfer-Encoding: binary in part %d", i+1), fmt.Sprintf("%q", cte))
		}
		if n := named[unbracket(id)]; n != 1 {
			return expected(fmt.Sprintf("part %d to be named by one xop:Include", i+1), plural(n, "reference"))
		}
	}
	return nil
}

func judgeIncludeSpace(x *exchange) error {
	for i, e := range documentElements(x) {
		include := child(e, nsXOP, "Include")
		if include == nil {
			continue
		}
		if len(e.Child) != 1 || len(include.Child) != 0 {
			return expected(fmt.Sprintf("an empty xop:Include as all there is in Document %d", i+1), "text or elements besides")
		}
	}
	return nil
}
