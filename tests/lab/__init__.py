"""A school in network namespaces, for tests, benches and the demonstration. See `school.LabSchool`."""
