package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/beevik/etree"
)

// image is an instance that a manifest names.
type image struct{ study, series, instance, class, repository string }

// manifest is a Key Object Selection Document and what it names. RAD TF-3: 4.68.4.1.2
type manifest struct {
	id     string // documentUniqueId
	bytes  []byte
	object *dataset
	images []image
}

// count returns how many different values images have.
func (m *manifest) count(of func(image) string) int {
	seen := map[string]bool{}
	for _, i := range m.images {
		seen[of(i)] = true
	}
	return len(seen)
}

func seriesOf(i image) string { return i.series }
func classOf(i image) string  { return i.class }

// The kinds of study that toolkit2 has.
var (
	anyStudy      = func(m *manifest) bool { return len(m.images) > 0 }
	severalSeries = func(m *manifest) bool { return m.count(seriesOf) > 1 }
	severalKinds  = func(m *manifest) bool { return m.count(classOf) > 1 }
)

// manifest returns the first of the target's manifests that fits, or skips.
func (t *Target) manifest(ctx context.Context, s *session, what string, fits func(*manifest) bool) (*manifest, error) {
	if err := t.readManifests(ctx, s); err != nil {
		return nil, err
	}
	for _, m := range s.manifests {
		if fits(m) {
			return m, nil
		}
	}
	return nil, skip("the target has no manifest of " + what)
}

// readManifests retrieves the target's manifests, once.
func (t *Target) readManifests(ctx context.Context, s *session) error {
	ids := slices.Concat(nonEmpty(t.Manifest), t.Manifests)
	if len(ids) == 0 {
		return skip("the target has no Manifest")
	}
	for _, id := range ids[len(s.manifests):] {
		var b bytes.Buffer
		x, err := t.retrieve(ctx, s, []DocumentRef{t.ref(id)}, func(Document) io.Writer { return &b })
		if err != nil {
			return err
		}
		if err := success.judge(x); err != nil {
			return fmt.Errorf("retrieving a manifest: %w", err)
		}
		m := &manifest{id: id, bytes: b.Bytes()}
		if m.object, err = readPart10(b.Bytes()); err != nil {
			return fmt.Errorf("a manifest: %w", err)
		}
		for _, study := range m.object.items[tagEvidence] {
			for _, series := range study.items[tagReferencedSerie] {
				for _, sop := range series.items[tagReferencedItems] {
					m.images = append(m.images, image{study.text(tagStudy), series.text(tagSeries), sop.text(tagReferencedSOP), sop.text(tagReferencedClass), series.text(tagRetrieveUID)})
				}
			}
		}
		s.manifests = append(s.manifests, m)
	}
	return nil
}

// imageRequest is a RAD-69 request in the making.
type imageRequest struct {
	images   []image
	home     string
	syntaxes []string
}

// message makes the request: images of one series that follow each other share its element. RAD TF-3: 4.69.4.1.2
func (r imageRequest) message(to string) *message {
	request := etree.NewElement("iherad:RetrieveImagingDocumentSetRequest")
	var asked []DocumentRef
	var study, series *etree.Element
	for i, img := range r.images {
		before := image{}
		if i > 0 {
			before = r.images[i-1]
		}
		if study == nil || img.study != before.study {
			study, series = request.CreateElement("iherad:StudyRequest"), nil
			study.CreateAttr("studyInstanceUID", img.study)
		}
		if series == nil || img.series != before.series {
			series = study.CreateElement("iherad:SeriesRequest")
			series.CreateAttr("seriesInstanceUID", img.series)
		}
		ref := DocumentRef{r.home, img.repository, img.instance}
		addRequest(series, ref)
		asked = append(asked, ref)
	}
	syntaxes := request.CreateElement("iherad:TransferSyntaxUIDList")
	for _, uid := range r.syntaxes {
		syntaxes.CreateElement("iherad:TransferSyntaxUID").SetText(uid)
	}
	m := newRequest(to, retrieveImages, request)
	m.asked = asked
	return m
}

// images sends a RAD-69 request and returns the answer with the header of each image that came.
func (t *Target) images(ctx context.Context, s *session, r imageRequest) (*exchange, []*dataset, error) {
	to, err := t.service("ImagingURL", t.ImagingURL)
	if err != nil {
		return nil, nil, err
	}
	var heads []*imageHead
	x, err := t.exchange(ctx, s, to, r.message(to.url), func(Document) io.Writer {
		heads = append(heads, &imageHead{})
		return heads[len(heads)-1]
	})
	if err != nil {
		return nil, nil, err
	}
	var sets []*dataset
	for i, h := range heads {
		d, err := readPart10(h.b)
		if err != nil && len(h.b) < maxImageHead {
			return nil, nil, fmt.Errorf("image %d of the answer: %w", i+1, err)
		}
		sets = append(sets, d)
	}
	return x, sets, nil
}

// imageHead keeps the beginning of an image.
type imageHead struct{ b []byte }

func (h *imageHead) Write(p []byte) (int, error) {
	h.b = append(h.b, p[:min(len(p), maxImageHead-len(h.b))]...)
	return len(p), nil
}

// judgeImages compares what came with what was asked. ENG-12, ENG-16, ENG-17
func judgeImages(x *exchange, got []*dataset, r imageRequest) error {
	if err := success.judge(x); err != nil {
		return err
	}
	if len(x.answer.Documents) != len(r.images) || len(got) != len(r.images) {
		return expected(plural(len(r.images), "image"), plural(len(x.answer.Documents), "document"))
	}
	for i, d := range x.answer.Documents {
		want := r.images[i]
		if d.DocumentUniqueID != want.instance || d.RepositoryUniqueID != want.repository || d.HomeCommunityID != r.home {
			return expected(fmt.Sprintf("image %d of the request in its place", i+1), fmt.Sprintf("%+v", d.DocumentRef))
		}
		if d.MimeType != "application/dicom" {
			return expected("mimeType application/dicom", d.MimeType)
		}
	}
	byInstance := map[string]*dataset{}
	for _, d := range got {
		byInstance[d.text(tagSOPInstance)] = d
	}
	for i, want := range r.images {
		d := byInstance[want.instance]
		if d == nil || d.text(tagStudy) != want.study || d.text(tagSeries) != want.series || want.class != "" && d.text(tagSOPClass) != want.class {
			return expected(fmt.Sprintf("image %d of the study, series, instance and class that the manifest names", i+1), "another")
		}
		if syntax := d.text(tagTransferSyntax); !slices.Contains(r.syntaxes, syntax) {
			return expected(fmt.Sprintf("image %d in one of the transfer syntaxes that were asked", i+1), syntax)
		}
	}
	return nil
}
