package phantom

import (
	"fmt"

	"collimate/dicom"
)

// fieldOfView is the width of a slice in mm, spacing the distance of two slices.
const (
	fieldOfView = 320.0
	spacing     = 2.5
)

// dataset returns the CT image of a slice. DICOM PS3.3 A.3
func (o Options) dataset(series, slice int, pixels []byte) *dicom.Dataset {
	d := new(dicom.Dataset)
	o.general(d, series, slice)
	o.acquisition(d, series)
	o.image(d, slice)
	d.PutBytes(dicom.PixelData, pixels)
	return d
}

// general puts the Patient, General Study, General Series, Equipment and SOP Common modules.
func (o Options) general(d *dicom.Dataset, series, slice int) {
	clock := func(seconds int) string {
		seconds += 10 * 3600
		return fmt.Sprintf("%02d%02d%02d", seconds/3600%24, seconds/60%60, seconds%60)
	}
	start := 60 * series
	d.Put(dicom.SpecificCharacterSet, "ISO_IR 192")
	d.Put(dicom.SOPClassUID, dicom.CTImageStorage)
	d.Put(dicom.SOPInstanceUID, o.uid("instance", series, slice))
	d.Put(dicom.StudyDate, o.StudyDate)
	d.Put(dicom.SeriesDate, o.StudyDate)
	d.Put(dicom.AcquisitionDate, o.StudyDate)
	d.Put(dicom.ContentDate, o.StudyDate)
	d.Put(dicom.StudyTime, clock(0))
	d.Put(dicom.SeriesTime, clock(start))
	d.Put(dicom.AcquisitionTime, clock(start+slice))
	d.Put(dicom.ContentTime, clock(start+slice))
	d.Put(dicom.AccessionNumber, o.AccessionNumber)
	d.Put(dicom.Modality, "CT")
	d.Put(dicom.Manufacturer, "Collimate")
	d.Put(dicom.InstitutionName, "Collimate Test Laboratory")
	d.Put(dicom.ReferringPhysicianName, "Tester^Quality")
	d.Put(dicom.StudyDescription, o.Description)
	d.Put(dicom.SeriesDescription, fmt.Sprintf("Axial %g mm %s", spacing, kernel(series)))
	d.Put(dicom.ManufacturerModelName, "Phantom")
	d.Put(dicom.PatientName, o.PatientName)
	d.Put(dicom.PatientID, o.PatientID)
	d.Put(dicom.PatientBirthDate, "19700101")
	d.Put(dicom.PatientSex, "O")
	d.Put(dicom.PatientAge, "054Y")
	d.Put(dicom.DeviceSerialNumber, "1")
	d.Put(dicom.SoftwareVersions, "1")
	d.Put(dicom.StudyInstanceUID, o.StudyInstanceUID)
	d.Put(dicom.SeriesInstanceUID, o.uid("series", series, 0))
	d.Put(dicom.StudyID, "1")
	d.Put(dicom.SeriesNumber, fmt.Sprint(series+1))
	d.Put(dicom.InstanceNumber, fmt.Sprint(slice+1))
}

// acquisition puts what the CT Image module says of the machine.
func (o Options) acquisition(d *dicom.Dataset, series int) {
	d.Put(dicom.SliceThickness, fmt.Sprint(spacing))
	d.Put(dicom.KVP, "120")
	d.Put(dicom.DataCollectionDiameter, "500")
	d.Put(dicom.ProtocolName, "Quality assurance")
	d.Put(dicom.ReconstructionDiameter, fmt.Sprint(fieldOfView))
	d.Put(dicom.GantryDetectorTilt, "0")
	d.Put(dicom.TableHeight, "150")
	d.Put(dicom.RotationDirection, "CW")
	d.Put(dicom.ExposureTime, "500")
	d.Put(dicom.XRayTubeCurrent, "200")
	d.Put(dicom.Exposure, "100")
	d.Put(dicom.ConvolutionKernel, kernel(series))
	d.Put(dicom.PatientPosition, "HFS")
	d.Put(dicom.AcquisitionNumber, fmt.Sprint(series+1))
}

// image puts the Image Plane, Image Pixel, CT Image and VOI LUT modules.
func (o Options) image(d *dicom.Dataset, slice int) {
	pixel := fieldOfView / float64(o.Columns)
	z := spacing * (float64(slice) - float64(o.Slices-1)/2)
	d.Put(dicom.ImageType, "ORIGINAL", "PRIMARY", "AXIAL")
	d.Put(dicom.ImagePositionPatient, decimal(-fieldOfView/2+pixel/2), decimal(-pixel*float64(o.Rows-1)/2), decimal(z))
	d.Put(dicom.ImageOrientationPatient, "1", "0", "0", "0", "1", "0")
	d.Put(dicom.FrameOfReferenceUID, o.uid("frame of reference", 0, 0))
	d.Put(dicom.PositionReference, "")
	d.Put(dicom.Laterality, "")
	d.Put(dicom.SliceLocation, decimal(z))
	d.PutUint16(dicom.SamplesPerPixel, 1)
	d.Put(dicom.PhotometricInterpretation, "MONOCHROME2")
	d.PutUint16(dicom.Rows, uint16(o.Rows))
	d.PutUint16(dicom.Columns, uint16(o.Columns))
	d.Put(dicom.PixelSpacing, decimal(pixel), decimal(pixel))
	d.PutUint16(dicom.BitsAllocated, 16)
	d.PutUint16(dicom.BitsStored, 16)
	d.PutUint16(dicom.HighBit, 15)
	d.PutUint16(dicom.PixelRepresentation, 1)
	d.Put(dicom.WindowCenter, "40")
	d.Put(dicom.WindowWidth, "400")
	d.Put(dicom.RescaleIntercept, "0")
	d.Put(dicom.RescaleSlope, "1")
	d.Put(dicom.RescaleType, "HU")
}

func kernel(series int) string {
	if series == 0 {
		return "SMOOTH"
	}
	return "SHARP"
}

// decimal writes a DS, at most 16 characters. DICOM PS3.5 6.2
func decimal(x float64) string { return fmt.Sprintf("%.8g", x) }
