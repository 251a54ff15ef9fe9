package demo

import (
	"context"
	"fmt"
	"path/filepath"

	"collimate/cmd/collimate/internal/admin"
	"collimate/cmd/collimate/internal/config"
	"collimate/dicom/phantom"
	"collimate/gateway"
	"collimate/ledger"
	"collimate/pacs"
	"collimate/pacs/fs"
)

// publish is step 2: north takes a study into its archive and puts itself and the study on the ledger.
func (d *demo) publish(ctx context.Context) error {
	folder, what := d.DICOM, "from "+d.DICOM
	if folder == "" {
		folder, what = d.path("dicom"), "a CT of a water phantom"
		d.out.show("making a phantom ...")
		if _, err := phantom.GenerateContext(ctx, folder, phantom.Options{Series: phantomSeries, Slices: (d.Slices + 1) / phantomSeries}); err != nil {
			return err
		}
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	door, err := admin.Open(d.source.Data)
	if err != nil {
		return err
	}
	if _, err := door.DefineSource(ctx); err != nil {
		return fmt.Errorf("defining the source: %w", err)
	}
	studies, err := d.publishFolder(ctx, door, folder)
	if err != nil {
		return err
	}
	d.file.Studies = studies[:1]
	d.study = &d.file.Studies[0]
	d.out.say("%s: %d instances, %s, archived and put on the ledger as", what, d.study.Instances, bytesText(d.study.Bytes))
	d.out.say("study %s", d.study.StudyID)
	d.out.say("repositoryUniqueId %s", d.study.RepositoryUniqueID)
	d.out.say("documentUniqueId   %s (all of it, a ZIP)", d.study.Documents[ledger.DocumentStudy])
	d.out.say("documentUniqueId   %s (the manifest, a KOS)", d.study.Documents[ledger.DocumentManifest])
	if n := len(studies); n > 1 {
		d.out.say("%d more studies of that folder were published; the largest is used here", n-1)
	}
	d.out.hand(
		"collimate source define --config north/collimate.yaml",
		"collimate study publish "+shell(d.relative(folder))+" --config north/collimate.yaml --tickets tickets",
		"curl -sS "+d.source.LedgerURL+"/v1/studies/"+d.study.StudyID.String(),
	)
	return nil
}

// publishFolder publishes a folder at north, and describes its studies, the largest first.
func (d *demo) publishFolder(ctx context.Context, door *admin.Client, folder string) ([]Study, error) {
	tickets, err := door.PublishFolder(ctx, folder, func(p admin.Progress) { d.out.show("   " + p.String()) })
	if err != nil {
		return nil, fmt.Errorf("publishing: %w", err)
	}
	archive, err := d.archive()
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	var studies []Study
	for _, t := range tickets {
		held, err := archive.Study(ctx, t.StudyInstanceUID)
		if err != nil {
			return nil, err
		}
		s, err := d.describe(t, held)
		if err != nil {
			return nil, err
		}
		studies = append(studies, s)
		if last := len(studies) - 1; studies[last].Bytes > studies[0].Bytes {
			studies[0], studies[last] = studies[last], studies[0]
		}
	}
	return studies, nil
}

// describe writes the claim ticket of a study and describes it.
func (d *demo) describe(t *gateway.Ticket, held *pacs.Study) (Study, error) {
	file, err := admin.WriteTicket(d.path("tickets"), t)
	if err != nil {
		return Study{}, err
	}
	instances, size := held.Count()
	return Study{
		Source: d.source.Name, RepositoryUniqueID: t.RepositoryUniqueID, StudyInstanceUID: t.StudyInstanceUID,
		StudyID: t.StudyID, Documents: t.Documents, Instances: instances, Bytes: size, Ticket: file,
		Grantee: Grantee{
			Organisation: d.grantee.Name, KeyID: d.grantee.KeyID, ConsumerURL: d.grantee.ConsumerURL,
			Identity: Identity{Certificate: d.grantee.Certificate, Key: d.grantee.Key},
		},
	}, nil
}

// archive opens north's archive, beside the server, to look at what it holds.
func (d *demo) archive() (*fs.Archive, error) {
	return fs.Open(filepath.Join(d.source.Data, config.ArchiveDir))
}
