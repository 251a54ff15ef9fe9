package dicom

// The attributes that are read or written here. DICOM PS3.6 chapters 6 to 8
const (
	fileMetaGroupLength        Tag = 0x00020000
	fileMetaVersion            Tag = 0x00020001
	mediaStorageSOPClassUID    Tag = 0x00020002
	mediaStorageSOPInstanceUID Tag = 0x00020003
	transferSyntaxUID          Tag = 0x00020010
	implementationClass        Tag = 0x00020012
	implementationVersion      Tag = 0x00020013

	fileSetID                 Tag = 0x00041130
	firstRootRecordOffset     Tag = 0x00041200
	lastRootRecordOffset      Tag = 0x00041202
	fileSetConsistencyFlag    Tag = 0x00041212
	directoryRecordSequence   Tag = 0x00041220
	nextRecordOffset          Tag = 0x00041400
	recordInUseFlag           Tag = 0x00041410
	lowerLevelOffset          Tag = 0x00041420
	directoryRecordType       Tag = 0x00041430
	referencedFileID          Tag = 0x00041500
	referencedSOPClassInFile  Tag = 0x00041510
	referencedSOPInFile       Tag = 0x00041511
	referencedTransferSyntax  Tag = 0x00041512
	SpecificCharacterSet      Tag = 0x00080005
	ImageType                 Tag = 0x00080008
	InstanceCreationDate      Tag = 0x00080012
	InstanceCreationTime      Tag = 0x00080013
	SOPClassUID               Tag = 0x00080016
	SOPInstanceUID            Tag = 0x00080018
	StudyDate                 Tag = 0x00080020
	SeriesDate                Tag = 0x00080021
	AcquisitionDate           Tag = 0x00080022
	ContentDate               Tag = 0x00080023
	StudyTime                 Tag = 0x00080030
	SeriesTime                Tag = 0x00080031
	AcquisitionTime           Tag = 0x00080032
	ContentTime               Tag = 0x00080033
	AccessionNumber           Tag = 0x00080050
	issuerOfAccessionNumber   Tag = 0x00080051 // the sequence
	QueryRetrieveLevel        Tag = 0x00080052
	RetrieveAETitle           Tag = 0x00080054
	Modality                  Tag = 0x00080060
	Manufacturer              Tag = 0x00080070
	InstitutionName           Tag = 0x00080080
	ReferringPhysicianName    Tag = 0x00080090
	CodeValue                 Tag = 0x00080100
	CodingSchemeDesignator    Tag = 0x00080102
	CodeMeaning               Tag = 0x00080104
	MappingResource           Tag = 0x00080105
	timezoneOffset            Tag = 0x00080201 // from UTC
	StudyDescription          Tag = 0x00081030
	SeriesDescription         Tag = 0x0008103e
	ManufacturerModelName     Tag = 0x00081090
	ReferencedStudySequence   Tag = 0x00081110
	ReferencedPPSSequence     Tag = 0x00081111
	ReferencedSeriesSequence  Tag = 0x00081115
	ReferencedSOPClassUID     Tag = 0x00081150
	ReferencedSOPInstanceUID  Tag = 0x00081155
	ReferencedSOPSequence     Tag = 0x00081199
	PatientName               Tag = 0x00100010
	PatientID                 Tag = 0x00100020
	IssuerOfPatientID         Tag = 0x00100021
	typeOfPatientID           Tag = 0x00100022
	patientIDQualifiers       Tag = 0x00100024 // the sequence Issuer of Patient ID Qualifiers
	PatientBirthDate          Tag = 0x00100030
	PatientSex                Tag = 0x00100040
	otherPatientIDs           Tag = 0x00101002 // the sequence
	PatientAge                Tag = 0x00101010
	SliceThickness            Tag = 0x00180050
	KVP                       Tag = 0x00180060
	DataCollectionDiameter    Tag = 0x00180090
	DeviceSerialNumber        Tag = 0x00181000
	SoftwareVersions          Tag = 0x00181020
	ProtocolName              Tag = 0x00181030
	ReconstructionDiameter    Tag = 0x00181100
	GantryDetectorTilt        Tag = 0x00181120
	TableHeight               Tag = 0x00181130
	RotationDirection         Tag = 0x00181140
	ExposureTime              Tag = 0x00181150
	XRayTubeCurrent           Tag = 0x00181151
	Exposure                  Tag = 0x00181152
	ConvolutionKernel         Tag = 0x00181210
	PatientPosition           Tag = 0x00185100
	StudyInstanceUID          Tag = 0x0020000d
	SeriesInstanceUID         Tag = 0x0020000e
	StudyID                   Tag = 0x00200010
	SeriesNumber              Tag = 0x00200011
	AcquisitionNumber         Tag = 0x00200012
	InstanceNumber            Tag = 0x00200013
	ImagePositionPatient      Tag = 0x00200032
	ImageOrientationPatient   Tag = 0x00200037
	FrameOfReferenceUID       Tag = 0x00200052
	Laterality                Tag = 0x00200060
	PositionReference         Tag = 0x00201040
	SliceLocation             Tag = 0x00201041
	StudyInstances            Tag = 0x00201208 // Number of Study Related Instances
	SeriesInstances           Tag = 0x00201209 // Number of Series Related Instances
	SamplesPerPixel           Tag = 0x00280002
	PhotometricInterpretation Tag = 0x00280004
	planarConfiguration       Tag = 0x00280006
	numberOfFrames            Tag = 0x00280008
	Rows                      Tag = 0x00280010
	Columns                   Tag = 0x00280011
	PixelSpacing              Tag = 0x00280030
	BitsAllocated             Tag = 0x00280100
	BitsStored                Tag = 0x00280101
	HighBit                   Tag = 0x00280102
	PixelRepresentation       Tag = 0x00280103
	WindowCenter              Tag = 0x00281050
	WindowWidth               Tag = 0x00281051
	RescaleIntercept          Tag = 0x00281052
	RescaleSlope              Tag = 0x00281053
	RescaleType               Tag = 0x00281054
	RequestedProcedure        Tag = 0x00321060
	RequestedProcedureCode    Tag = 0x00321064
	universalEntityID         Tag = 0x00400032
	universalEntityIDType     Tag = 0x00400033
	measurementUnits          Tag = 0x004008ea // the code sequence
	RequestedProcedureID      Tag = 0x00401001
	PlacerOrderNumber         Tag = 0x00402016
	FillerOrderNumber         Tag = 0x00402017
	RelationshipType          Tag = 0x0040a010
	ValueType                 Tag = 0x0040a040
	ConceptNameCodeSequence   Tag = 0x0040a043
	ContinuityOfContent       Tag = 0x0040a050
	uidValue                  Tag = 0x0040a124 // UID, the value of a content item
	textValue                 Tag = 0x0040a160
	conceptCode               Tag = 0x0040a168 // the sequence
	measuredValue             Tag = 0x0040a300 // the sequence
	numericValue              Tag = 0x0040a30a
	ReferencedRequestSequence Tag = 0x0040a370
	CurrentRequestedEvidence  Tag = 0x0040a375
	ContentTemplateSequence   Tag = 0x0040a504
	ContentSequence           Tag = 0x0040a730
	TemplateIdentifier        Tag = 0x0040db00
	RetrieveLocationUID       Tag = 0x0040e011
	PixelData                 Tag = 0x7fe00010
)

// representation returns the VR that t is written with, false if t is not among the attributes above.
func (t Tag) representation() (v vr, ok bool) {
	switch t {
	case RetrieveAETitle:
		return vr{'A', 'E'}, true
	case PatientAge:
		return vr{'A', 'S'}, true
	case fileSetID, directoryRecordType, referencedFileID, SpecificCharacterSet, ImageType, QueryRetrieveLevel, Modality,
		MappingResource, PatientSex, Laterality, RotationDirection, PatientPosition,
		PhotometricInterpretation, RelationshipType, ValueType, ContinuityOfContent, TemplateIdentifier,
		typeOfPatientID, universalEntityIDType:
		return vr{'C', 'S'}, true
	case InstanceCreationDate, StudyDate, SeriesDate, AcquisitionDate, ContentDate, PatientBirthDate:
		return vr{'D', 'A'}, true
	case SliceThickness, KVP, DataCollectionDiameter, ReconstructionDiameter, GantryDetectorTilt, TableHeight,
		ImagePositionPatient, ImageOrientationPatient, SliceLocation, PixelSpacing, WindowCenter, WindowWidth,
		RescaleIntercept, RescaleSlope, numericValue:
		return vr{'D', 'S'}, true
	case ExposureTime, XRayTubeCurrent, Exposure, SeriesNumber, AcquisitionNumber, InstanceNumber, StudyInstances,
		SeriesInstances:
		return vr{'I', 'S'}, true
	case Manufacturer, InstitutionName, CodeMeaning, StudyDescription, SeriesDescription, ManufacturerModelName,
		PatientID, IssuerOfPatientID, DeviceSerialNumber, SoftwareVersions, ProtocolName, PositionReference,
		RescaleType, RequestedProcedure, PlacerOrderNumber, FillerOrderNumber:
		return vr{'L', 'O'}, true
	case fileMetaVersion:
		return vr{'O', 'B'}, true
	case PixelData:
		return vr{'O', 'W'}, true
	case ReferringPhysicianName, PatientName:
		return vr{'P', 'N'}, true
	case implementationVersion, AccessionNumber, CodeValue, CodingSchemeDesignator, ConvolutionKernel, StudyID,
		RequestedProcedureID, timezoneOffset:
		return vr{'S', 'H'}, true
	case directoryRecordSequence, ReferencedStudySequence, ReferencedPPSSequence, ReferencedSeriesSequence,
		ReferencedSOPSequence, RequestedProcedureCode, ConceptNameCodeSequence, ReferencedRequestSequence,
		CurrentRequestedEvidence, ContentTemplateSequence, ContentSequence, issuerOfAccessionNumber,
		patientIDQualifiers, otherPatientIDs, measurementUnits, conceptCode, measuredValue:
		return vr{'S', 'Q'}, true
	case InstanceCreationTime, StudyTime, SeriesTime, AcquisitionTime, ContentTime:
		return vr{'T', 'M'}, true
	case mediaStorageSOPClassUID, mediaStorageSOPInstanceUID, transferSyntaxUID, implementationClass,
		referencedSOPClassInFile, referencedSOPInFile, referencedTransferSyntax, SOPClassUID, SOPInstanceUID,
		ReferencedSOPClassUID, ReferencedSOPInstanceUID, StudyInstanceUID, SeriesInstanceUID,
		FrameOfReferenceUID, RetrieveLocationUID, uidValue:
		return vr{'U', 'I'}, true
	case textValue, universalEntityID:
		return vr{'U', 'T'}, true
	case fileMetaGroupLength, firstRootRecordOffset, lastRootRecordOffset, nextRecordOffset, lowerLevelOffset:
		return vr{'U', 'L'}, true
	case fileSetConsistencyFlag, recordInUseFlag, SamplesPerPixel, Rows, Columns, BitsAllocated, BitsStored,
		HighBit, PixelRepresentation:
		return vr{'U', 'S'}, true
	}
	return vr{}, false
}
