"""Temporary folders go, however a program ends."""

from assonance.utils.temporary import remove_temporary_folders, temporary_folder


def test_a_temporary_folder_goes_at_the_end():
    with temporary_folder() as folder:
        (folder / "file").write_text("content")
    assert not folder.exists()


def test_a_program_that_leaves_at_once_removes_its_folders():
    with temporary_folder() as one, temporary_folder() as two:
        (one / "file").write_text("content")
        remove_temporary_folders()
        assert not one.exists()
        assert not two.exists()
