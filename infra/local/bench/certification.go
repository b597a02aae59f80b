package bench

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"stoa/shared/packages"
)

// certificationFigures measures the validation of packages: time in one process that is warm, and memory and processor
// time of the command, which is a process of its own.
func certificationFigures(ctx context.Context, s *session, r *Report) error {
	dir, err := os.MkdirTemp("", "certification")
	if err != nil {
		return fmt.Errorf("measure certification: %w", err)
	}
	defer os.RemoveAll(dir)
	command := filepath.Join(s.Root, "handler")
	for _, p := range []struct {
		name        string
		size        int
		floor, aim  float64 // ms
		memory, low float64 // MB
	}{{"10 kB", 10 << 10, 50, 10, 64, 32}, {"1 MB", 1 << 20, 50, 10, 64, 32}, {"100 MB", 100 << 20, 5_000, 1_000, 64, 32}} {
		file := filepath.Join(dir, fmt.Sprintf("%d.zip", p.size))
		if err := writePackage(file, p.size); err != nil {
			return err
		}
		took, err := warm(ctx, file)
		if err != nil {
			return err
		}
		r.atMost("certification of a package of "+p.name+", all rules", took.Seconds()*1000, "ms", p.floor, p.aim)
		peak, err := memory(ctx, file)
		if err != nil {
			return err
		}
		r.atMost("certification of a package of "+p.name+": memory", peak, "MB", p.memory, p.low)
	}
	return errors.Join(bombFigure(ctx, r, command, dir), folderFigure(ctx, r, command, dir), crowdFigure(ctx, r, dir))
}

// warm is the median time to validate a file again and again.
func warm(ctx context.Context, file string) (time.Duration, error) {
	var times []time.Duration
	for range 7 {
		start := time.Now()
		blocking, err := validateFile(ctx, file)
		if err != nil {
			return 0, err
		}
		if blocking {
			return 0, fmt.Errorf("the package %s of the measurement is refused", file)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// validated runs the command on a file and returns what it used.
func validated(ctx context.Context, command string, exit int, path string) (*syscall.Rusage, error) {
	cmd := exec.CommandContext(ctx, command, "validate", path)
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return nil, fmt.Errorf("run validate: %w", err)
	}
	if got := cmd.ProcessState.ExitCode(); got != exit {
		return nil, fmt.Errorf("validate %s ends with %d, want %d: %.300s", path, got, exit, out)
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage), nil
}

func cpuOf(u *syscall.Rusage) time.Duration {
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// bombFigure measures how a gigabyte of zeros is refused.
func bombFigure(ctx context.Context, r *Report, command, dir string) error {
	file := filepath.Join(dir, "bomb.zip")
	err := writeZip(file, func(w *zip.Writer) error {
		e, err := w.Create("zeros")
		if err != nil {
			return err
		}
		_, err = io.CopyN(e, zeros{}, 1<<30)
		return err
	})
	if err != nil {
		return err
	}
	used, err := validated(ctx, command, 1, file)
	if err != nil {
		return err
	}
	r.atMost("certification: a 1 GB zip bomb refused", cpuOf(used).Seconds()*1000, "ms CPU", 100, 50)
	return nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// folderFigure measures the command on a folder of 200 templates.
func folderFigure(ctx context.Context, r *Report, command, dir string) error {
	folder := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(folder, "nestedtemplates"), 0o700); err != nil {
		return err
	}
	files := map[string]string{"mainTemplate.json": template(20), "createUiDefinition.json": uiOfPackage}
	for i := range 199 {
		files[fmt.Sprintf("nestedtemplates/t%03d.json", i)] = template(20)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	start := time.Now()
	if _, err := validated(ctx, command, 0, folder); err != nil {
		return err
	}
	r.atMost("handler validate on a folder of 200 templates", time.Since(start).Seconds(), "s", 2, 1)
	return nil
}

// crowdFigure measures the memory of eight packages of 100 MB at once.
func crowdFigure(ctx context.Context, r *Report, dir string) error {
	file := filepath.Join(dir, fmt.Sprintf("%d.zip", 100<<20))
	peak, err := memory(ctx, file, file, file, file, file, file, file, file)
	if err != nil {
		return err
	}
	r.atMost("certification of 8 packages of 100 MB at once: memory", peak, "MB", 256, 128)
	return nil
}

// memory is the peak of a process of its own that validates files at once, in MB. What the kernel counts for a child
// that has ended holds the parent's pages as well, so the process says it itself.
func memory(ctx context.Context, files ...string) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	out, err := exec.CommandContext(ctx, self, append([]string{"validate"}, files...)...).Output()
	if err != nil {
		return 0, fmt.Errorf("validate %d packages: %w", len(files), err)
	}
	kilobytes, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		return 0, fmt.Errorf("read the memory of a process: %w", err)
	}
	return kilobytes / 1024, nil
}

// ValidateAtOnce validates all files at the same time and writes the peak of the process's memory, in kB.
func ValidateAtOnce(ctx context.Context, files []string, out io.Writer) error {
	var group sync.WaitGroup
	errs := make([]error, len(files))
	for i, file := range files {
		group.Go(func() { _, errs[i] = validateFile(ctx, file) })
	}
	group.Wait()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return fmt.Errorf("read the memory of this process: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if peak, found := strings.CutPrefix(line, "VmHWM:"); found {
			fmt.Fprintln(out, strings.TrimSuffix(strings.TrimSpace(peak), " kB"))
		}
	}
	return errors.Join(errs...)
}

// validateFile validates a file in this process and reports whether it is refused.
func validateFile(ctx context.Context, file string) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	report, err := packages.Validate(ctx, "AzureApplication", packages.Package{Name: "app.zip", Bytes: f, Size: info.Size()}, packages.Options{Now: time.Now()})
	if err != nil {
		return false, err
	}
	return report.Blocking, nil
}

const uiOfPackage = `{"$schema":"https://schema.management.azure.com/schemas/0.1.2-preview/CreateUIDefinition.MultiVm.json#",
"handler":"Microsoft.Azure.CreateUIDef","version":"0.1.2-preview","parameters":{"basics":[{"name":"prefix","type":"Microsoft.Common.TextBox","label":"Prefix",
"toolTip":"What names begin with.","constraints":{"regex":"^[a-z]+$","validationMessage":"Letters."}}],"steps":[],
"outputs":{"location":"[location()]","prefix":"[basics('prefix')]"}}}`

// template is a template of n resources.
func template(n int) string {
	var b strings.Builder
	b.WriteString(`{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","contentVersion":"1.0.0.0",
"parameters":{"location":{"type":"string","metadata":{"description":"where"}},"prefix":{"type":"string","metadata":{"description":"what names begin with"}}},
"variables":{"name":"[concat(parameters('prefix'), uniqueString(resourceGroup().id))]"},"resources":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `
{"type":"Microsoft.Network/networkSecurityGroups","apiVersion":"%d-01-01","name":"[concat(variables('name'), '-%d')]","location":"[parameters('location')]",
"properties":{"securityRules":[{"name":"web","properties":{"priority":%d,"protocol":"Tcp","access":"Allow","direction":"Inbound","sourceAddressPrefix":"*",
"sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"443"}}]}}`, time.Now().Year()-1, i, 100+i%3000)
	}
	b.WriteString(`]}`)
	return b.String()
}

// writePackage writes a package of about a size: templates of which a quarter is made, up to twenty, and a file that does
// not compress.
func writePackage(file string, size int) error {
	return writeZip(file, func(w *zip.Writer) error {
		templates := min(size/4/2000, 20)
		files := map[string]string{"mainTemplate.json": template(min(200, max(1, size/4/400))), "createUiDefinition.json": uiOfPackage}
		for i := range templates {
			files[fmt.Sprintf("nestedtemplates/t%02d.json", i)] = template(min(100, size/4/400))
		}
		for name, text := range files {
			e, err := w.Create(name)
			if err == nil {
				_, err = io.WriteString(e, text)
			}
			if err != nil {
				return err
			}
		}
		e, err := w.CreateHeader(&zip.FileHeader{Name: "scripts/app.bin", Method: zip.Store})
		if err != nil {
			return err
		}
		_, err = io.CopyN(e, rand.NewChaCha8([32]byte{1}), int64(size))
		return err
	})
}

func writeZip(file string, fill func(*zip.Writer) error) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := zip.NewWriter(f)
	err = errors.Join(fill(w), w.Close(), f.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
