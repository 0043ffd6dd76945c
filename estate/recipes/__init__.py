"""Images -> recipes, components and workflows as plain values, with versions that follow from their content."""

from estate.estate import EstateImage, Kind
from estate.models.container_image import ContainerImage
from estate.recipes.ami import Recipe, ami_recipe_of
from estate.recipes.container import ContainerRecipe, container_recipe_of


def recipe_of(declared: EstateImage[Kind]) -> Recipe | ContainerRecipe:
    """The recipe of an image of a checked estate, whatever its kind."""
    estate, image = declared.estate, declared.image
    if isinstance(image, ContainerImage):
        return container_recipe_of(EstateImage(estate, image))
    return ami_recipe_of(EstateImage(estate, image))
