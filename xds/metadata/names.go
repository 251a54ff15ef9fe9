package metadata

// The namespaces of ebXML RegRep 3.0. ITI TF-2: Table V.2.4-1
const (
	NSRIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
	NSRS  = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
	NSLCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
)

// Status is an availabilityStatus. ITI TF-3: 4.2.3.2.2
type Status string

// The statuses.
const (
	Approved   Status = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
	Deprecated Status = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"
)

// ObjectType is the kind of a DocumentEntry. ITI TF-3: 4.2.5.2
type ObjectType string

// The object types.
const (
	Stable   ObjectType = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
	OnDemand ObjectType = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"
)

// AssociationType is the kind of an Association. ITI TF-3: 4.2.2
type AssociationType string

// The association types.
const (
	HasMember    AssociationType = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
	Replace      AssociationType = "urn:ihe:iti:2007:AssociationType:RPLC"
	Transform    AssociationType = "urn:ihe:iti:2007:AssociationType:XFRM"
	Append       AssociationType = "urn:ihe:iti:2007:AssociationType:APND"
	XfrmReplace  AssociationType = "urn:ihe:iti:2007:AssociationType:XFRM_RPLC"
	Signs        AssociationType = "urn:ihe:iti:2007:AssociationType:signs"
	IsSnapshotOf AssociationType = "urn:ihe:iti:2010:AssociationType:IsSnapshotOf"

	// Of Metadata Update, which a registry may hold and no submission here may bring.
	UpdateAvailabilityStatus AssociationType = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
	SubmitAssociation        AssociationType = "urn:ihe:iti:2010:AssociationType:SubmitAssociation"
)

// IsRelationship reports whether t is between two DocumentEntries.
func (t AssociationType) IsRelationship() bool {
	switch t {
	case Replace, Transform, Append, XfrmReplace, Signs, IsSnapshotOf:
		return true
	}
	return false
}

// Replaces reports whether t deprecates its target.
func (t AssociationType) Replaces() bool { return t == Replace || t == XfrmReplace }

// The values of Association.SubmissionSetStatus: whether the SubmissionSet brought the DocumentEntry or
// points at an older one. ITI TF-3: 4.2.2.1
const (
	Original  = "Original"
	Reference = "Reference"
)

// Classification schemes and nodes, identification schemes. ITI TF-3: 4.2.5
const (
	schemeEntryAuthor       = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
	schemeClass             = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
	schemeConfidentiality   = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
	schemeEvent             = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
	schemeFormat            = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
	schemeFacility          = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
	schemePractice          = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"
	schemeType              = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
	schemeEntryPatient      = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
	schemeEntryUniqueID     = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
	nodeEntryLimited        = "urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85"
	schemeSetAuthor         = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
	schemeContentType       = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"
	schemeSetPatient        = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
	schemeSource            = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"
	schemeSetUniqueID       = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
	nodeSet                 = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
	nodeSetLimited          = "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707"
	schemeFolderCode        = "urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5"
	schemeFolderPatient     = "urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a"
	schemeFolderUniqueID    = "urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a"
	nodeFolder              = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"
	nodeFolderLimited       = "urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03"
	schemeAssociationReason = "urn:uuid:abd807a3-4432-4053-87b4-fd82c643d1f3"
)

// objectTypePrefix begins the objectType of all that is not a DocumentEntry. ITI TF-3: 4.2.1.2.1
const objectTypePrefix = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"
