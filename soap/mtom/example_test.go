package mtom_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"collimate/soap/mtom"
)

func ExampleWriter() {
	const boundary = "uuid-0123456789" // 128 random bits in earnest
	envelope := []byte(`<Envelope><Body><d><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:d@example"/></d></Body></Envelope>`)
	part := mtom.Part{ContentID: "d@example", ContentType: "application/dicom", Size: 4}

	var b bytes.Buffer
	w := mtom.NewWriter(&b, boundary)
	if err := w.Root(envelope); err != nil {
		fmt.Println(err)
	}
	if err := w.Part(part, strings.NewReader("DICM")); err != nil {
		fmt.Println(err)
	}
	if err := w.Close(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(mtom.FormatContentType(boundary, "urn:example:Get"))
	fmt.Println(int64(b.Len()) == mtom.Length(boundary, len(envelope), []mtom.Part{part}))
	// Output:
	// multipart/related; boundary="uuid-0123456789"; type="application/xop+xml"; start="<root@collimate>"; start-info="application/soap+xml"; action="urn:example:Get"
	// true
}

func ExampleReader() {
	message := "--b\r\nContent-ID: <root>\r\n\r\n<Envelope/>\r\n--b\r\nContent-ID: <d@example>\r\nContent-Type: application/dicom\r\n\r\nDICM\r\n--b--\r\n"
	r, err := mtom.NewReader(strings.NewReader(message), `multipart/related; boundary=b; start=root`, mtom.DefaultLimits)
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		part, err := r.Next()
		if err == io.EOF {
			break // the closing boundary was there: the message is whole
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		b, err := io.ReadAll(part)
		fmt.Printf("%s %q %v\n", part.ContentID, b, err)
	}
	// Output:
	// root "<Envelope/>" <nil>
	// d@example "DICM" <nil>
}
