package servicebus

// Kill ends the broker like the kernel does, without a word, and returns when it is gone.
func (b *Broker) Kill() error {
	b.stop.Do(func() {})
	err := b.command.Process.Kill()
	<-b.exited
	return err
}
